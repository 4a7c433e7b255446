# SPDX-License-Identifier: Apache-2.0
"""Iterate over the objects of a config with their paths."""

from __future__ import annotations

from collections.abc import Iterator

from ignition.configpath import ConfigPath
from ignition.schemas.base import Node
from ignition.schemas.fields import Field, fields_of

__all__ = ["children", "is_path_of", "walk"]


def walk(node: Node, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, Node]]:
    """Yield an object and all objects below it, outer objects first."""
    yield path, node
    for _, below, child in children(node, path):
        yield from walk(child, below)


def children(node: Node, path: ConfigPath) -> Iterator[tuple[Field, ConfigPath, Node]]:
    """Yield the direct children of an object, without those that are unset (shared defaults)."""
    for field in fields_of(node.__class__):
        if field.node is None:
            continue
        value = getattr(node, field.attribute)
        if field.many:
            for index, item in enumerate(value):
                yield field, (*path, field.name, index), item
        elif value is not field.default:
            yield field, (*path, field.name), value


def is_path_of(node: Node, path: ConfigPath) -> bool:
    """Return whether a path names a field or a list item in the object or below it."""
    value: object = node
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, tuple) or not 0 <= step < len(value):
                return False
            value = value[step]
        else:
            fields = fields_of(type(value)) if isinstance(value, Node) else ()
            field = next((one for one in fields if one.name == step), None)
            if field is None:
                return False
            value = getattr(value, field.attribute)
    return True
