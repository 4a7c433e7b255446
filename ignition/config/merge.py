# SPDX-License-Identifier: Apache-2.0
"""Merge a child config into its parent; the child's values win.

The merge rule of a field follows from its type and marks. `pairing` matches the items of
the parent's list with those of the child's. `ignition.config.origins` uses it too, to find
the origin of a merged value without recording anything while merging.

Source: docs/reference/config-language.md, "Merging".
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar, cast

from ignition.schemas.base import Node
from ignition.schemas.fields import Field, fields_of

__all__ = ["Pair", "is_zero", "merge", "pairing", "prevails"]

Items: TypeAlias = "tuple[Node, ...] | tuple[str, ...]"

_NodeT = TypeVar("_NodeT", bound=Node)

Pair = tuple[int | None, int | None]
"""Index of the parent's item and of the child's item; at most one is None."""


def merge(parent: _NodeT, child: _NodeT) -> _NodeT:
    """Return the parent, overridden by the values that the child sets."""
    given = parent.given | child.given
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
    """Return whether the child's value of a plain field wins; null leaves the parent's value."""
    return value is not None or not field.nullable


def is_zero(node: Node) -> bool:
    """Return whether an object sets no field."""
    empty = node.empty()
    return node is empty or node == empty


def pairing(field: Field, parent: Node, child: Node) -> list[Pair]:
    """Match the items of a list of the parent with those of the child, in the order of the result."""
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
    """Return the keys that the child has in other lists of the same key space."""
    assert field.keyed is not None
    if not field.keyed.handle:
        return set()
    return {
        other.key_of(item)
        for other in fields_of(type(child))
        if other.keyed and other.keyed.handle == field.keyed.handle and other is not field
        for item in getattr(child, other.attribute)
    }
