# SPDX-License-Identifier: Apache-2.0
"""Validate a config: the rules of its objects, and duplicate keys.

The rules are methods of the model's classes (`Node.check`). Here they are called in the
reference's order and their findings get full paths. The merged config is validated again
with the newest rules; a cached config never is.

Source: docs/reference/config-language.md, "Validation passes", "Fields" and "Duplicates".
"""

from __future__ import annotations

from collections.abc import Iterator

from ignition.config.walk import children
from ignition.configpath import ConfigPath
from ignition.diagnostics import Entry, Report, Severity
from ignition.errors import ConfigError
from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import fields_of
from ignition.schemas.spec import LATEST, Spec

__all__ = ["check_config", "check_merged", "duplicates"]


def check_config(config: Config, spec: Spec = LATEST) -> Iterator[Entry]:
    """Yield the findings of all rules, outer objects first."""
    yield from config.check(spec)
    yield from _check_below(config, spec, ())


def check_merged(config: Config) -> Report:
    """Validate a merged config; the findings have no positions.

    Raises:
        ConfigError: the merged config is invalid.
    """
    report = Report.of(check_config(config))
    if report.is_fatal:
        hint = (
            "compare the configs that set these fields: a child config keeps the fields that it does not set"
        )
        raise ConfigError("merging resulted in an invalid config", report, hint=hint)
    return report


def _check_below(node: Node, spec: Spec, path: ConfigPath) -> Iterator[Entry]:
    for field, where, child in children(node, path):
        if field.lacking is not None and spec < field.lacking.until:
            entries = child.check_lacking(spec, required=field.not_null is not None)
        else:
            entries = child.check(spec)
        for entry in entries:
            yield entry.under(where)
        yield from _check_below(child, spec, where)


def duplicates(node: Node, path: ConfigPath = ()) -> Iterator[Entry]:
    """Yield errors for repeated keys in keyed lists."""
    spaces: dict[str, set[str]] = {}
    for field in fields_of(node.__class__):
        if field.keyed is None:
            continue
        seen = spaces.setdefault(field.keyed.handle or field.name, set())
        for index, item in enumerate(getattr(node, field.attribute)):
            key = field.key_of(item)
            if key in seen:
                message = f"duplicate {field.keyed.handle or field.keyed.attribute or 'value'}"
                yield Entry(Severity.ERROR, message, (*path, field.name, index), code="duplicate")
            seen.add(key)
    for _, where, child in children(node, path):
        yield from duplicates(child, where)
