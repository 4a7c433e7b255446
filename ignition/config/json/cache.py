"""The merged config on its way from the fetch stage to the later ones.

Compact JSON in the newest shape, as the reference writes it. What is read back was
judged before it was written, so it is loaded unchecked, and no validator is built.

Source: engine sheet section 5.
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
    """The config as JSON; it always says the newest version."""
    if config.ignition.version != LATEST.version:
        config = config.but(ignition=config.ignition.but(version=LATEST.version))
    text = json.dumps(to_json(config), ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def load(data: bytes) -> Config:
    """The config that was dumped.

    Raises:
        StateError: this is not what `dump` writes.
    """
    try:
        config: Config = _load(Config, json.loads(data))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise StateError(
            "the cached config cannot be read",
            hint="the fetch stage writes it; was it changed, or written by another version?",
        ) from error
    if config.ignition.version != LATEST.version:
        raise StateError(f"the cached config is not of spec {LATEST}")
    return config


def to_json(node: Node) -> dict[str, Any]:
    """A node as JSON values: objects always, plain values unless null, lists unless empty."""
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
