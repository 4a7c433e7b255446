"""Config → JSON text, in the newest version of the spec or an older one.

An older version is written only if nothing is lost: no field that it does not have,
no value that it does not know, and nothing that it judges or means differently.
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
    """The config as canonical JSON: the same bytes for equal configs.

    Keys are sorted, and what says nothing (null, empty lists and objects) is left out.

    Args:
        config: in the newest form, as `parse` returns it.
        version: the version of the spec to write.
        indent: how many blanks to indent with; everything on one line if None.

    Raises:
        ConfigError: the config says what this version cannot; the report names every
            field that is in the way, with its path.
        ValueError: there is no such version.
    """
    if version not in (known := [spec.version for spec in Spec]):
        raise ValueError(f"spec version {version} is not known, only {', '.join(known)}")
    spec = Spec.of(version)
    obstacles = Report.of(_obstacles(config, spec))
    if obstacles:
        needed = next(later for later in Spec if later > spec and not any(_obstacles(config, later)))
        raise ConfigError(
            f"the config cannot be written as spec {spec}:\n{obstacles}",
            obstacles,
            hint=f"spec {needed} is the oldest one that can say all of it",
        )
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        _members(config, spec), sort_keys=True, ensure_ascii=False, separators=separators, indent=indent
    )
    return text.encode()


def _members(config: Config, spec: Spec) -> dict[str, Any]:
    """The config as JSON values, under this version's name."""
    return _object(config.but(ignition=config.ignition.but(version=spec.version)))


def _object(node: Node) -> dict[str, Any]:
    members = {field.name: _value(field, getattr(node, field.attribute)) for field in fields_of(type(node))}
    return {name: value for name, value in members.items() if value is not None}


def _value(field: Field, value: Any) -> Any:
    """A field's value as JSON; None if it says nothing."""
    if field.many:
        return [_object(item) if isinstance(item, Node) else item for item in value] or None
    if isinstance(value, Node):
        return _object(value) or None
    return None if value == field.default else value


def _obstacles(config: Config, spec: Spec) -> Iterator[Entry]:
    """What keeps the config from being written in this version."""
    newer = list(_newer(config, spec, None, ()))
    yield from newer
    known = {entry.path for entry in newer}
    fine = {(entry.path, entry.code) for entry in _judged(config, LATEST)}
    for entry in _judged(config, spec):
        path = entry.path or ()
        inside = any(path[:length] in known for length in range(1, len(path) + 1))
        if not inside and (path, entry.code) not in fine:
            yield replace(entry, severity=Severity.ERROR, code="newer-value")


def _judged(config: Config, spec: Spec) -> Iterator[Entry]:
    """What a reader of this version would find in the config if it were written for it."""
    read, _ = decode(_members(config, spec), shape_of(Config, spec))
    assert isinstance(read, Config)
    return check_config(read, spec)


def _newer(node: Node, spec: Spec, place: Field | None, path: ConfigPath) -> Iterator[Entry]:
    """Fields and values that came after this version."""
    for field in fields_of(type(node)):
        value, where = getattr(node, field.attribute), (*path, field.name)
        if _value(field, value) is None:
            continue
        since = since_at(field, place)
        if since > spec:
            yield Entry(Severity.ERROR, f"`{field.name}` came with spec {since}", where, code="newer-field")
        elif field.many and field.node is not None:
            for index, item in enumerate(value):
                yield from _newer(item, spec, field, (*where, index))
        elif field.node is not None:
            yield from _newer(value, spec, field, where)
        elif field.values is not None and (first := field.values.first(value)) is not None and first > spec:
            yield Entry(Severity.ERROR, f"`{value}` came with spec {first}", where, code="newer-value")
