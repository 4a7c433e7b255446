"""`Node`, the base of all classes of the model: naming, strictness, immutability.

pydantic does the shape only. Its validators are built on first use, which the boot
path never does: `ignition.config.shape` decodes with the reference's own rules and
makes the nodes with `Node.of`. Whoever builds a config in Python gets the full
type check of the ordinary constructor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from ignition.report import Entry
    from ignition.schemas.spec import Spec

__all__ = ["Node", "json_name"]

_SPELLED = {"mib": "MiB"}

_set = object.__setattr__


def json_name(attribute: str) -> str:
    """The JSON name of an attribute: `size_mib` is `sizeMiB`, `http_headers` is `httpHeaders`."""
    first, *rest = attribute.split("_")
    return first + "".join(_SPELLED.get(word, word.capitalize()) for word in rest)


class Node(BaseModel):
    """One JSON object of a config: frozen, hashable, compared by value.

    Attributes stand in the order in which the reference visits them, which is the
    order of the entries of a report. Texts after the attributes describe the fields;
    the published JSON Schemas quote them.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        defer_build=True,
        alias_generator=json_name,
        populate_by_name=True,
        protected_namespaces=(),
    )

    _defaults: ClassVar[dict[str, Any]]
    _empty: ClassVar[Node]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._defaults = {name: field.default for name, field in cls.model_fields.items()}
        cls._empty = cls.of({})

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Self:
        """Make a node from attributes that are known to be right; nothing is checked.

        What is not given has its default. This is `model_construct` without its
        copies and alias handling, ten times as fast.
        """
        node = cls.__new__(cls)
        _set(node, "__dict__", cls._defaults | attributes)  # type: ignore[operator]
        _set(node, "__pydantic_fields_set__", set(attributes))
        _set(node, "__pydantic_extra__", None)
        _set(node, "__pydantic_private__", None)
        return node

    @classmethod
    def empty(cls) -> Self:
        """The one shared instance with all defaults."""
        return cls._empty  # type: ignore[return-value]

    def check(self, spec: Spec) -> Iterator[Entry]:
        """What is wrong with this object in this version, with paths relative to it.

        Only the object's own rules: what lies below is checked by its own class.
        """
        del spec
        return iter(())
