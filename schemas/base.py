# SPDX-License-Identifier: Apache-2.0
"""`Node`, the base of all classes of the model: names, immutability, comparison.

The decoder (`ignition.config.json.shape`) follows the reference's own rules and makes nodes with
`Node.of`. Code that builds configs in Python uses the constructors, which check types and names
with pydantic (`ignition.schemas.checked`). The boot path uses no constructor and never imports
pydantic: under emulation that import takes longer than the rest of the start of a stage.

Annotations of the classes are read at run time. Modules with nodes therefore do without
`from __future__ import annotations`: real types are cheaper than strings to be evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from ignition.schemas.marks import Secret

if TYPE_CHECKING:
    from ignition.diagnostics import Entry
    from ignition.schemas.spec import Spec

__all__ = ["Node", "json_name"]

_SPELLINGS = {"mib": "MiB"}


def json_name(attribute: str) -> str:
    """Return the JSON name of an attribute: `size_mib` is `sizeMiB`, `http_headers` is `httpHeaders`."""
    first, *rest = attribute.split("_")
    return first + "".join(_SPELLINGS.get(word, word.capitalize()) for word in rest)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Node:
    """One JSON object of a config: frozen, hashable, compared by value.

    Attributes are declared in the order in which the reference visits them, which is the order
    of the entries of a report. Strings below the attributes describe the fields; the published
    JSON Schemas quote them. An instance holds the attributes that were given; all others are
    the class's defaults.
    """

    annotations: ClassVar[Mapping[str, Any]] = {}
    """Attribute → annotation in the order of declaration, inherited ones first."""

    _empty: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        inherited: dict[str, Any] = {}
        for base in reversed(cls.__bases__):
            inherited.update(getattr(base, "annotations", {}))
        cls.annotations = inherited | cls.__annotations__
        cls._empty = object.__new__(cls)

    def __init__(self, **attributes: Any) -> None:
        """Check the attributes and make the node.

        Raises:
            pydantic.ValidationError: a name is unknown, or a value is of the wrong type.
            MissingPackage: pydantic is not installed.
        """
        from ignition.lazy import load, requires

        with requires("constructors of config classes", "pydantic", "pydantic_core"):
            checked = load("ignition.schemas.checked:checked")
        self.__dict__.update(checked(type(self), attributes).__dict__)

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Self:
        """Make a node from valid attributes, without a check; other attributes have their defaults."""
        node = cls.__new__(cls)
        node.__dict__.update(attributes)
        return node

    def evolve(self, **attributes: Any) -> Self:
        """Return a copy with other values for some attributes, without a check."""
        return self.of(self.__dict__ | attributes)

    @classmethod
    def empty(cls) -> Self:
        """Return the shared instance that has all defaults."""
        return cls._empty  # type: ignore[no-any-return]

    @property
    def given(self) -> frozenset[str]:
        """The attributes that were given, with any value."""
        return frozenset(self.__dict__)

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Yield the findings on this object in a spec version, with paths relative to it.

        Objects inside this one are checked by their own classes.
        """
        del spec
        return iter(())

    def check_lacking(self, spec: Spec, *, required: bool) -> Iterator[Entry]:
        """Like `check`, where the version has a class with fewer fields in this place (`lacking`).

        `required`: the field of that class could not be null in this version (`not_null_before`).
        """
        del required
        return self.check(spec)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; make a copy with `evolve`")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__ or self._values() == other._values()

    def _hash(self) -> int:
        return hash(self._values())

    # Declared so that mypy takes the classes themselves, too, as arguments of cached functions.
    __hash__: ClassVar[Callable[..., int]] = _hash

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in type(self).annotations)

    def __repr__(self) -> str:
        """Return the given attributes without secrets, in case a config is logged by accident."""
        given = (f"{name}={self._shown(name)}" for name in type(self).annotations if name in self.__dict__)
        return f"{type(self).__name__}({', '.join(given)})"

    def _shown(self, name: str) -> str:
        marks = getattr(type(self).annotations[name], "__metadata__", ())
        hidden = any(isinstance(mark, Secret) for mark in marks)
        return "'***'" if hidden and self.__dict__[name] else repr(self.__dict__[name])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let pydantic check and embed nodes: `TypeAdapter(Config)`, fields of other models."""
        from ignition.lazy import load

        return load("ignition.schemas.checked:core_schema_of")(cls, handler)
