"""Parent + child → one config, the child's word counting more.

How a field merges follows from its type and marks. The heart is `pairing`: which
item of the parent's list meets which one of the child's. It is also what
`ignition.config.origins` asks to tell where a merged value came from, so that
nothing has to be recorded while merging.

Source: config-spec section 8.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar, cast

from ignition.schemas.base import Node
from ignition.schemas.fields import Field, fields_of

__all__ = ["Pair", "is_zero", "merge", "pairing", "prevails"]

Items: TypeAlias = "tuple[Node, ...] | tuple[str, ...]"

_NodeT = TypeVar("_NodeT", bound=Node)

Pair = tuple[int | None, int | None]
"""Index of the parent's item and of the child's; at least one is there."""


def merge(parent: _NodeT, child: _NodeT) -> _NodeT:
    """The parent with everything that the child says."""
    given = parent.said | child.said
    attributes = {
        field.attribute: _merge_field(field, parent, child)
        for field in fields_of(type(parent))
        if field.attribute in given
    }
    return type(parent).of(attributes)


def _merge_field(field: Field, parent: Node, child: Node) -> Any:
    ours, theirs = getattr(parent, field.attribute), getattr(child, field.attribute)
    if field.many:
        return tuple(_merge_items(ours, theirs, pair) for pair in pairing(field, parent, child))
    if field.node is not None:
        return ours if is_zero(theirs) else theirs if is_zero(ours) else merge(ours, theirs)
    return theirs if prevails(field, theirs) else ours


def _merge_items(ours: Items, theirs: Items, pair: Pair) -> Node | str:
    mine, yours = pair
    if yours is None:
        assert mine is not None
        return ours[mine]
    item = theirs[yours]
    if mine is None or not isinstance(item, Node):
        return item
    return merge(cast("Node", ours[mine]), item)


def prevails(field: Field, value: Any) -> bool:
    """Whether the child's value of a plain field counts; null leaves the parent's."""
    return value is not None or not field.nullable


def is_zero(node: Node) -> bool:
    """Whether an object says nothing at all."""
    empty = node.empty()
    return node is empty or node == empty


def pairing(field: Field, parent: Node, child: Node) -> list[Pair]:
    """Which items of a list of the parent meet which of the child's, in the order of the result."""
    ours, theirs = getattr(parent, field.attribute), getattr(child, field.attribute)
    if not ours or field.appended or field.keyed is None:
        first: list[Pair] = [(mine, None) for mine in range(len(ours))]
        return first + [(None, yours) for yours in range(len(theirs))]
    keyed = field.keyed
    places = {field.key_of(item): index for index, item in enumerate(theirs)}
    moved = _keys_elsewhere(field, child)
    pairs: list[Pair] = []
    known = set()
    for mine, item in enumerate(ours):
        key = field.key_of(item)
        known.add(key)
        yours = places.get(key)
        if yours is None:
            if key not in moved:
                pairs.append((mine, None))
        elif not (keyed.removed_without and getattr(theirs[yours], keyed.removed_without) is None):
            pairs.append((mine, yours))
    pairs += ((None, yours) for yours, item in enumerate(theirs) if field.key_of(item) not in known)
    return pairs


def _keys_elsewhere(field: Field, child: Node) -> set[str]:
    """Keys that the child has in other lists of the same key space."""
    assert field.keyed is not None
    if not field.keyed.handle:
        return set()
    return {
        other.key_of(item)
        for other in fields_of(type(child))
        if other.keyed and other.keyed.handle == field.keyed.handle and other is not field
        for item in getattr(child, other.attribute)
    }
