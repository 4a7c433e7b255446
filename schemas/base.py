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
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from ignition.diagnostics import Entry
    from ignition.schemas.spec import Spec

__all__ = ["Node", "json_name"]

_SPELLED = {"mib": "MiB"}


def json_name(attribute: str) -> str:
    """The JSON name of an attribute: `size_mib` is `sizeMiB`, `http_headers` is `httpHeaders`."""
    first, *rest = attribute.split("_")
    return first + "".join(_SPELLED.get(word, word.capitalize()) for word in rest)


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
        from ignition.lazy import requires

        with requires("constructors of config classes", "pydantic", "pydantic_core"):
            from ignition.schemas.checked import checked

        self.__dict__.update(checked(type(self), attributes).__dict__)

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Self:
        """Make a node from attributes that are known to be right; nothing is checked.

        What is not given has its default.
        """
        node = cls.__new__(cls)
        node.__dict__.update(attributes)
        return node

    def but(self, **attributes: Any) -> Self:
        """The same node with other values for some attributes; nothing is checked."""
        return self.of(self.__dict__ | attributes)

    @classmethod
    def empty(cls) -> Self:
        """The one shared instance with all defaults."""
        return cls._empty  # type: ignore[no-any-return]

    @property
    def said(self) -> frozenset[str]:
        """The attributes that were given, whatever their values."""
        return frozenset(self.__dict__)

    def check(self, spec: Spec) -> Iterator[Entry]:
        """What is wrong with this object in this version, with paths relative to it.

        Only the object's own rules: what lies below is checked by its own class.
        """
        del spec
        return iter(())

    def check_lesser(self, spec: Spec, *, required: bool) -> Iterator[Entry]:
        """The same where the version still had a lesser class in this place (`lacking`).

        `required` says that its plain text could not be null there (`not_null_before`).
        """
        del required
        return self.check(spec)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; `but` makes another one")

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
        """What was said, without secrets: a config may end up in a log by accident."""
        said = (f"{name}={self._shown(name)}" for name in type(self).annotations if name in self.__dict__)
        return f"{type(self).__name__}({', '.join(said)})"

    def _shown(self, name: str) -> str:
        marks = getattr(type(self).annotations[name], "__metadata__", ())
        hidden = any(isinstance(mark, Secret) for mark in marks)
        return "'***'" if hidden and self.__dict__[name] else repr(self.__dict__[name])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic check and embed nodes: `TypeAdapter(Config)`, fields of other people's models."""
        from ignition.schemas.checked import core_schema_of

        return core_schema_of(cls, handler)
