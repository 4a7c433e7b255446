# SPDX-License-Identifier: Apache-2.0
"""The model is consistent: every list has a merge rule, and every mark fits its field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of
from ignition.schemas.spec import Spec


def classes(node: type[Node]) -> Iterator[type[Node]]:
    yield node
    for field in fields_of(node):
        if field.node is not None:
            yield from classes(field.node)


FIELDS = [
    pytest.param(node, field, id=f"{node.__name__}.{field.attribute}")
    for node in dict.fromkeys(classes(Config))
    for field in fields_of(node)
]


@pytest.mark.parametrize(("node", "field"), FIELDS)
def test_field_marks_are_consistent(node: type[Node], field: Field) -> None:
    default = getattr(node.empty(), field.attribute)
    assert default == field.default
    if field.many:
        assert default == ()
        assert bool(field.keyed) != field.appended, "a list is keyed or appended"
    elif field.node:
        assert default == field.node.empty()
    else:
        assert default == (None if field.nullable else field.kind())
    if field.keyed and field.node:
        assert isinstance(field.key_of(field.node.empty()), str)
    if field.keyed and field.keyed.removed_without:
        assert field.node
        assert field.keyed.removed_without in [one.attribute for one in fields_of(field.node)]
    if field.values:
        assert field.kind is str
        assert all(first >= field.since for _, first in field.values.since if first > Spec.V3_0)
    if field.lacking:
        assert field.node
        assert set(field.lacking.attributes) <= {one.attribute for one in fields_of(field.node)}


@pytest.mark.parametrize("node", list(dict.fromkeys(classes(Config))))
def test_fields_are_in_order_of_the_reference(node: type[Node]) -> None:
    """Inherited fields first, then alphabetical order with the acronyms of the reference."""
    own = [field.name for field in fields_of(node)]
    inherited = [field.name for base in node.__bases__ if base is not Node for field in fields_of(base)]
    acronyms = {"sshAuthorizedKeys": "SSHAuthorizedKeys"}
    rest = [acronyms.get(name, name[0].upper() + name[1:]) for name in own[len(inherited) :]]
    assert own[: len(inherited)] == inherited
    assert rest == sorted(rest)
