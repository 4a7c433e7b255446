# SPDX-License-Identifier: Apache-2.0
"""Find the document that a value of a merged config comes from.

Nothing is recorded while merging: the origin is derived afterwards from the merge rules.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, TypeAlias

from ignition.config.merge import is_zero, pairing, prevails
from ignition.config.walk import is_path_of
from ignition.configpath import ConfigPath
from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of

__all__ = ["Document", "Merged", "Origin", "Side", "Tree", "origins", "side_of"]


class Side(enum.Enum):
    """The parent or the child of a merge."""

    PARENT = "parent"
    CHILD = "child"


@dataclass(frozen=True)
class Document:
    """A config before merging, with its name and text."""

    config: Config
    source: str
    data: bytes = b""


@dataclass(frozen=True)
class Merged:
    """The result of merging two trees."""

    config: Config
    parent: Tree
    child: Tree


Tree: TypeAlias = "Document | Merged"


@dataclass(frozen=True)
class Origin:
    """The document of a value, and the path of the value in it."""

    document: Document
    path: ConfigPath


def origins(tree: Tree, path: ConfigPath) -> tuple[Origin, ...]:
    """Return the origins of a value of a merged config, parents first.

    A plain value has one origin. An object or a list has one for each document that
    contributed to it. A path that does not exist has none.
    """
    if isinstance(tree, Document):
        return (Origin(tree, path),) if is_path_of(tree.config, path) else ()
    found: list[Origin] = []
    for side, below in side_of(tree.parent.config, tree.child.config, path):
        found += origins(tree.parent if side is Side.PARENT else tree.child, below)
    return tuple(found)


def side_of(parent: Node, child: Node, path: ConfigPath) -> tuple[tuple[Side, ConfigPath], ...]:
    """Return the merged objects that a path of the result leads to, each with the path in it."""
    return tuple(_sides(parent, child, path, (), ()))


def _sides(
    parent: Node, child: Node, path: ConfigPath, ours: ConfigPath, theirs: ConfigPath
) -> list[tuple[Side, ConfigPath]]:
    if not path:
        return [(Side.PARENT, ours), (Side.CHILD, theirs)]
    name, *rest = path
    field = next((one for one in fields_of(type(parent)) if one.name == name), None)
    if field is None:
        return []
    ours, theirs = (*ours, field.name), (*theirs, field.name)
    mine, yours = getattr(parent, field.attribute), getattr(child, field.attribute)
    if field.many:
        return _sides_of_list(field, parent, child, tuple(rest), ours, theirs)
    if field.node is None:
        return [(Side.CHILD, theirs)] if prevails(field, yours) else [(Side.PARENT, ours)]
    return _sides_of_objects(mine, yours, tuple(rest), ours, theirs)


def _sides_of_list(
    field: Field, parent: Node, child: Node, rest: ConfigPath, ours: ConfigPath, theirs: ConfigPath
) -> list[tuple[Side, ConfigPath]]:
    mine, yours = getattr(parent, field.attribute), getattr(child, field.attribute)
    if not rest:
        both = ((Side.PARENT, ours, mine), (Side.CHILD, theirs, yours))
        return [(side, at) for side, at, items in both if items]
    index, *below = rest
    pairs = pairing(field, parent, child)
    if not isinstance(index, int) or not 0 <= index < len(pairs):
        return []
    first, second = pairs[index]
    if second is None:
        return [(Side.PARENT, (*ours, first, *below))] if first is not None else []
    if first is None:
        return [(Side.CHILD, (*theirs, second, *below))]
    if field.node is None:
        return [(Side.CHILD, (*theirs, second))]
    return _sides(mine[first], yours[second], tuple(below), (*ours, first), (*theirs, second))


def _sides_of_objects(
    mine: Any, yours: Any, rest: ConfigPath, ours: ConfigPath, theirs: ConfigPath
) -> list[tuple[Side, ConfigPath]]:
    if is_zero(yours):
        return [(Side.PARENT, (*ours, *rest))]
    if is_zero(mine):
        return [(Side.CHILD, (*theirs, *rest))]
    return _sides(mine, yours, rest, ours, theirs)
