# SPDX-License-Identifier: Apache-2.0
"""Origins of the values of merged configs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings

from ignition.config.merge import merge
from ignition.config.origins import Document, Merged, origins
from ignition.configpath import ConfigPath
from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import fields_of
from tests.config.configs import configs


def values(node: Node, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, Any]]:
    """Yield all plain values that a config sets, with their paths."""
    for field in fields_of(type(node)):
        value = getattr(node, field.attribute)
        for below, one in (
            [((*path, field.name, index), item) for index, item in enumerate(value)]
            if field.many
            else [((*path, field.name), value)]
        ):
            if isinstance(one, Node):
                yield from values(one, below)
            elif one is not None:
                yield below, one


def at(node: Node, path: ConfigPath) -> Any:
    """Return the value at a path."""
    value: Any = node
    for step in path:
        if isinstance(step, int):
            value = value[step]
        else:
            names = {one.name: one.attribute for one in fields_of(value.__class__)}
            value = getattr(value, names[step])
    return value


@given(configs(), configs(), configs())
@settings(deadline=None, max_examples=60)
def test_origin_of_each_value_holds_that_value(a: Config, b: Config, c: Config) -> None:
    first = Merged(merge(a, b), Document(a, "a"), Document(b, "b"))
    tree = Merged(merge(first.config, c), first, Document(c, "c"))
    for path, value in values(tree.config):
        (origin,) = origins(tree, path)
        assert at(origin.document.config, origin.path) == value


def test_unknown_path_has_no_origin() -> None:
    tree = Merged(Config.empty(), Document(Config.empty(), "a"), Document(Config.empty(), "b"))
    assert origins(tree, ("nothing",)) == ()
    assert origins(tree, ("passwd", "users", 5)) == ()
