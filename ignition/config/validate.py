"""What is wrong with a config: the rules of its objects, and keys that repeat.

The rules stand beside the fields they speak about (`Node.check`); here they are
walked in the reference's order and get their full paths. The merged config is
checked again with the newest rules, a cached one never.

Source: config-spec sections 3.1, 5 and 10.
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
    """The findings of all rules, outer objects before inner ones."""
    yield from config.check(spec)
    yield from _check_below(config, spec, ())


def check_merged(config: Config) -> Report:
    """Judge a config that was put together from several; there are no positions to give.

    Raises:
        ConfigError: parts that are fine alone do not go together.
    """
    report = Report.of(check_config(config))
    if report.is_fatal:
        hint = "what one config says of an object is kept unless another one replaces it"
        raise ConfigError("merging resulted in an invalid config", report, hint=hint)
    return report


def _check_below(node: Node, spec: Spec, path: ConfigPath) -> Iterator[Entry]:
    for field, where, child in children(node, path):
        if field.lacking is not None and spec < field.lacking.until:
            entries = child.check_lesser(spec, required=field.not_null is not None)
        else:
            entries = child.check(spec)
        for entry in entries:
            yield entry.under(where)
        yield from _check_below(child, spec, where)


def duplicates(node: Node, path: ConfigPath = ()) -> Iterator[Entry]:
    """Errors for items of keyed lists whose key was there before."""
    spaces: dict[str, set[str]] = {}
    for field in fields_of(node.__class__):
        if field.keyed is None:
            continue
        seen = spaces.setdefault(field.keyed.handle or field.name, set())
        for index, item in enumerate(getattr(node, field.attribute)):
            key = field.key_of(item)
            if key in seen:
                message = f"the {field.keyed.handle or field.keyed.attribute or 'value'} is there twice"
                yield Entry(Severity.ERROR, message, (*path, field.name, index), code="duplicate")
            seen.add(key)
    for _, where, child in children(node, path):
        yield from duplicates(child, where)
