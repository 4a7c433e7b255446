# SPDX-License-Identifier: Apache-2.0
"""Write a config as JSON, in the newest version of the spec or an older one.

An older version is written only if nothing is lost: every field and value exists in it,
is valid in it and has the same meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ignition.config.json.shape import decode, shape_of
from ignition.config.validate import check_config
from ignition.configpath import ConfigPath
from ignition.diagnostics import Entry, Report, Severity
from ignition.errors import ConfigError
from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of, since_at
from ignition.schemas.spec import LATEST, Spec, SpecVersion

__all__ = ["dump"]


def dump(config: Config, *, version: SpecVersion = LATEST.version, indent: int | None = None) -> bytes:
    """Return the config as canonical JSON: equal configs give the same bytes.

    Keys are sorted; null, empty lists and empty objects are left out.

    Args:
        config: in the newest form, as `parse` returns it.
        version: the version of the spec to write.
        indent: spaces per level; None for everything on one line.

    Raises:
        ConfigError: the version lacks a field or value of the config; the report has one
            entry for each, with its path.
        ValueError: the version is unknown.
    """
    if version not in (known := [spec.version for spec in Spec]):
        raise ValueError(f"unknown spec version {version}, expected one of {', '.join(known)}")
    spec = Spec.of(version)
    obstacles = Report.of(_obstacles(config, spec))
    if obstacles:
        needed = next(later for later in Spec if later > spec and not any(_obstacles(config, later)))
        raise ConfigError(
            f"cannot write the config as spec {spec}:\n{obstacles}",
            obstacles,
            hint=f"use spec {needed} or later",
        )
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        _members(config, spec), sort_keys=True, ensure_ascii=False, separators=separators, indent=indent
    )
    return text.encode()


def _members(config: Config, spec: Spec) -> dict[str, Any]:
    """Return the config as JSON values, with this version."""
    return _object(config.evolve(ignition=config.ignition.evolve(version=spec.version)))


def _object(node: Node) -> dict[str, Any]:
    members = {field.name: _value(field, getattr(node, field.attribute)) for field in fields_of(type(node))}
    return {name: value for name, value in members.items() if value is not None}


def _value(field: Field, value: Any) -> Any:
    """Return a field's value as JSON; None if it is unset."""
    if field.many:
        return [_object(item) if isinstance(item, Node) else item for item in value] or None
    if isinstance(value, Node):
        return _object(value) or None
    return None if value == field.default else value


def _obstacles(config: Config, spec: Spec) -> Iterator[Entry]:
    """Yield the reasons why the config cannot be written in this version."""
    newer = list(_newer(config, spec, None, ()))
    yield from newer
    known = {entry.path for entry in newer}
    fine = {(entry.path, entry.code) for entry in _findings(config, LATEST)}
    for entry in _findings(config, spec):
        path = entry.path or ()
        inside = any(path[:length] in known for length in range(1, len(path) + 1))
        if not inside and (path, entry.code) not in fine:
            yield replace(entry, severity=Severity.ERROR, code="newer-value")


def _findings(config: Config, spec: Spec) -> Iterator[Entry]:
    """Yield the findings that the config would have in this version."""
    read, _ = decode(_members(config, spec), shape_of(Config, spec))
    assert isinstance(read, Config)
    return check_config(read, spec)


def _newer(node: Node, spec: Spec, place: Field | None, path: ConfigPath) -> Iterator[Entry]:
    """Yield the fields and values that this version does not have yet."""
    for field in fields_of(type(node)):
        value, where = getattr(node, field.attribute), (*path, field.name)
        if _value(field, value) is None:
            continue
        since = since_at(field, place)
        if since > spec:
            yield Entry(
                Severity.ERROR, f"`{field.name}` needs spec {since} or later", where, code="newer-field"
            )
        elif field.many and field.node is not None:
            for index, item in enumerate(value):
                yield from _newer(item, spec, field, (*where, index))
        elif field.node is not None:
            yield from _newer(value, spec, field, where)
        elif field.values is not None and (first := field.values.first(value)) is not None and first > spec:
            yield Entry(Severity.ERROR, f"`{value}` needs spec {first} or later", where, code="newer-value")
