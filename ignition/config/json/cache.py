# SPDX-License-Identifier: Apache-2.0
"""The config cache: the merged config that the fetch stage writes for later stages.

It is compact JSON in the newest version, as the reference writes it. It was validated
before it was written, so it is loaded without any check.

Source: docs/reference/config-language.md, "Merged config".
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ignition.errors import StateError
from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of
from ignition.schemas.spec import LATEST

__all__ = ["dump", "load"]


def dump(config: Config) -> bytes:
    """Return the config as JSON, always in the newest version."""
    if config.ignition.version != LATEST.version:
        config = config.evolve(ignition=config.ignition.evolve(version=LATEST.version))
    text = json.dumps(to_json(config), ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def load(data: bytes) -> Config:
    """Load a config that `dump` wrote.

    Raises:
        StateError: the data is not a cached config of the newest version.
    """
    try:
        config: Config = _load(Config, json.loads(data))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise StateError(
            "cannot read the cached config: unexpected contents",
            hint="run the fetch stage again: the file was changed, or written by another version of Ignition",
        ) from error
    if config.ignition.version != LATEST.version:
        raise StateError(
            f"cannot read the cached config: unexpected spec version, expected {LATEST}",
            hint="run the fetch stage again",
        )
    return config


def to_json(node: Node) -> dict[str, Any]:
    """Return a node as JSON values, without null values and empty lists, but with empty objects."""
    members: dict[str, Any] = {}
    for field in fields_of(type(node)):
        value = getattr(node, field.attribute)
        if field.many:
            if value:
                members[field.name] = [to_json(item) for item in value] if field.node else list(value)
        elif field.node is not None:
            members[field.name] = to_json(value)
        elif value is not None and not (field.kind is int and not field.nullable and value == 0):
            members[field.name] = value
    return members


@cache
def _by_name(node: type[Node]) -> dict[str, Field]:
    return {field.name: field for field in fields_of(node)}


def _load(node: type[Node], members: dict[str, Any]) -> Any:
    if not members:
        return node.empty()
    attributes: dict[str, Any] = {}
    fields = _by_name(node)
    for name, value in members.items():
        field = fields[name]
        if field.node is None:
            attributes[field.attribute] = tuple(value) if field.many else value
        elif field.many:
            attributes[field.attribute] = tuple(_load(field.node, item) for item in value)
        else:
            attributes[field.attribute] = _load(field.node, value)
    return node.of(attributes)
