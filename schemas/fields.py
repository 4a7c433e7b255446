# SPDX-License-Identifier: Apache-2.0
"""The fields of a node class as plain data: types and marks, read once for each class."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin

from ignition.schemas.base import Node, json_name
from ignition.schemas.marks import Absent, Appended, Keyed, Lacking, NotNull, Since, Values
from ignition.schemas.spec import Spec

__all__ = ["Field", "fields_of", "since_at"]

_Mark = TypeVar("_Mark")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a node class.

    Attributes:
        attribute: its Python name.
        name: its JSON name.
        kind: `str`, `int`, `bool` or a node class; for a list, the type of its items.
        many: whether it is a list.
        nullable: whether absence differs from the zero value.
        default: the value if the config does not set the field.
        since: the version that introduced it.
    """

    attribute: str
    name: str
    kind: type[str] | type[int] | type[bool] | type[Node]
    many: bool
    nullable: bool
    default: Any
    since: Spec = Spec.V3_0
    keyed: Keyed | None = None
    appended: bool = False
    values: Values | None = None
    lacking: Lacking | None = None
    not_null: NotNull | None = None
    absent: Absent | None = None
    node: type[Node] | None = field(init=False)
    """The class of the object, or of the items of a list; None for plain values."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "node", self.kind if issubclass(self.kind, Node) else None)

    def key_of(self, item: Node | str) -> str:
        """Return the key of an item of a keyed list; null is the empty key."""
        if isinstance(item, str):
            return item
        assert self.keyed is not None
        return getattr(item, self.keyed.attribute) or ""


@cache
def fields_of(node: type[Node]) -> tuple[Field, ...]:
    """Return the fields of a class in the order in which the reference visits them."""
    return tuple(_field(node, name, hint) for name, hint in node.annotations.items())


def since_at(field: Field, place: Field | None) -> Spec:
    """Return the version that introduced a field for the objects in a place (None: for all objects)."""
    if place is not None and place.lacking is not None and field.attribute in place.lacking.attributes:
        return place.lacking.until
    return field.since


def _field(node: type[Node], attribute: str, hint: Any) -> Field:
    annotation, marks = (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())
    nullable, many = False, False
    if get_origin(annotation) is UnionType:
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
        nullable = True
    elif get_origin(annotation) is tuple:
        annotation, many = get_args(annotation)[0], True
    assert isinstance(annotation, type)
    since = _mark(marks, Since)
    return Field(
        attribute,
        json_name(attribute),
        annotation,
        many,
        nullable,
        getattr(node, attribute),
        since=since.spec if since else Spec.V3_0,
        keyed=_mark(marks, Keyed),
        appended=_mark(marks, Appended) is not None,
        values=_mark(marks, Values),
        lacking=_mark(marks, Lacking),
        not_null=_mark(marks, NotNull),
        absent=_mark(marks, Absent),
    )


def _mark(marks: tuple[Any, ...], kind: type[_Mark]) -> _Mark | None:
    return next((mark for mark in marks if isinstance(mark, kind)), None)
