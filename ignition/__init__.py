# SPDX-License-Identifier: Apache-2.0
"""First-boot provisioning with the Ignition config language.

The config language as a library, for programs that need neither a machine nor root:

    parsed = ignition.parse(data, source="user.ign")     # bytes to config and report
    merged = ignition.merge(parent, child)               # values of the child win
    rendered = ignition.render(config, fetch)            # follow references
    data = ignition.dump(config, version="3.4.0")        # canonical JSON
    schema = ignition.schema("3.4.0")                    # JSON Schema

`docs/reference/config-api.md` has an example of each. A name is imported when it is first used, which
keeps the start of the program short.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ignition.config.json.dump import dump
    from ignition.config.merge import merge
    from ignition.config.parse import Parsed, parse
    from ignition.config.render import Rendered, render
    from ignition.diagnostics import Entry, Position, Report, Severity
    from ignition.errors import ConfigError, EmptyConfig, IgnitionError
    from ignition.host.source import Source
    from ignition.schemas.catalogue import published as schema
    from ignition.schemas.config import Config

__all__ = [
    "Config",
    "ConfigError",
    "EmptyConfig",
    "Entry",
    "IgnitionError",
    "Parsed",
    "Position",
    "Rendered",
    "Report",
    "Severity",
    "Source",
    "dump",
    "merge",
    "parse",
    "render",
    "schema",
]

_PLACES = {
    "Config": "schemas.config:Config",
    "ConfigError": "errors:ConfigError",
    "EmptyConfig": "errors:EmptyConfig",
    "Entry": "diagnostics:Entry",
    "IgnitionError": "errors:IgnitionError",
    "Parsed": "config.parse:Parsed",
    "Position": "diagnostics:Position",
    "Rendered": "config.render:Rendered",
    "Report": "diagnostics:Report",
    "Severity": "diagnostics:Severity",
    "Source": "host.source:Source",
    "dump": "config.json.dump:dump",
    "merge": "config.merge:merge",
    "parse": "config.parse:parse",
    "render": "config.render:render",
    "schema": "schemas.catalogue:published",
}


if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> Any:
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, original = place.partition(":")
        value = getattr(import_module(f"{__name__}.{module}"), original)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
