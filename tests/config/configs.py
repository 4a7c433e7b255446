# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for configs in the newest form, with unique keys as after parsing."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of
from ignition.schemas.spec import LATEST

TEXTS = st.sampled_from(["", "a", "b", "/a", "é", "x y"])
"""Few values, so that two configs often have a key in common."""

NUMBERS = st.sampled_from([-1, 0, 1, 2])


def nodes(node: type[Node], *, parsed: bool = True) -> st.SearchStrategy[Any]:
    """Objects of a class; with `parsed`, keyed lists have unique keys."""
    return st.builds(
        lambda attributes: _without_shared_keys(node.of(attributes)) if parsed else node.of(attributes),
        st.fixed_dictionaries({}, optional={field.attribute: _values(field) for field in fields_of(node)}),
    )


def configs() -> st.SearchStrategy[Config]:
    """Configs of the newest version, as after parsing."""
    return st.deferred(lambda: nodes(Config)).map(_with_version)


def _with_version(config: Config) -> Config:
    return config.evolve(ignition=config.ignition.evolve(version=LATEST.version))


def _values(field: Field) -> st.SearchStrategy[Any]:
    if field.many:
        unique = field.key_of if field.keyed else None
        return st.lists(_items(field), max_size=2, unique_by=unique).map(tuple)
    if field.nullable:
        return st.none() | _items(field)
    return _items(field)


def _items(field: Field) -> st.SearchStrategy[Any]:
    if field.node is not None:
        return nodes(field.node)
    if field.kind is bool:
        return st.booleans()
    return NUMBERS if field.kind is int else TEXTS


def _without_shared_keys(node: Node) -> Node:
    """Remove items whose key is in an earlier list of the same key space."""
    spaces: dict[str, set[str]] = {}
    changed = {}
    for field in fields_of(type(node)):
        if not field.keyed or not field.keyed.handle:
            continue
        seen = spaces.setdefault(field.keyed.handle, set())
        items = tuple(item for item in getattr(node, field.attribute) if field.key_of(item) not in seen)
        seen.update(map(field.key_of, items))
        changed[field.attribute] = items
    return node.evolve(**{name: items for name, items in changed.items() if name in node.given})
