# SPDX-License-Identifier: Apache-2.0
"""Bytes to a checked config.

    parsed = parse(data, source="user.ign")
    parsed.config        # in the newest form, whatever the document's version
    parsed.report        # warnings, with line and column

Source: docs/reference/config-language.md, "Accepting a document", "Validation passes" and "Reports".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ignition.config.json.decode import load
from ignition.config.json.shape import ABOUT_KEYS, Mismatches, decode, irregularities, shape_of
from ignition.config.json.values import Malformed, Raw
from ignition.config.upgrade import upgrade
from ignition.config.validate import check_config, duplicates
from ignition.configpath import format_path
from ignition.diagnostics import Entry, Report, Severity
from ignition.errors import ConfigError, EmptyConfig, IgnitionError
from ignition.schemas.config import Config
from ignition.schemas.ignition import Ignition
from ignition.schemas.spec import LATEST, Spec
from ignition.schemas.versions import SpecVersionError, spec_of

__all__ = ["Checked", "Parsed", "check", "parse"]


@dataclass(frozen=True)
class Parsed:
    """A config without errors.

    Attributes:
        config: in the newest form.
        report: warnings and notes; no errors.
        spec: the document's version.
        source: the document's origin, as the caller named it.
    """

    config: Config
    report: Report
    spec: Spec
    source: str = ""


@dataclass(frozen=True)
class Checked:
    """The result of checking a document, valid or not.

    Attributes:
        report: all findings, with line and column.
        config: in the document's own version; None if it could not be decoded.
        spec: the document's version; None if it is missing or unknown.
        failure: the error that makes the document unusable; None if it is usable.
        rejection: for an empty document or an unusable version, the finding that the reference's
            report does not have; without its position.
    """

    report: Report
    config: Config | None = None
    spec: Spec | None = None
    failure: IgnitionError | None = None
    rejection: Entry | None = None


def parse(data: bytes, *, source: str = "") -> Parsed:
    """Parse a config of any known version and upgrade it to the newest form.

    Args:
        data: the document, in JSON.
        source: the document's origin, for messages; must not contain secrets.

    Raises:
        EmptyConfig: the document has zero bytes.
        ConfigError: the document is not a valid config; the report has the positions.
    """
    checked = check(data, source=source)
    if checked.failure is not None:
        raise checked.failure
    assert checked.config is not None
    assert checked.spec is not None
    return Parsed(upgrade(checked.config, checked.spec), checked.report, checked.spec, source)


def check(data: bytes, *, source: str = "") -> Checked:
    """Check a document; never raises."""
    name = f"the config from {source}" if source else "the config"
    if not data:
        return _rejected(
            EmptyConfig(f"{name} is empty"), Entry(Severity.ERROR, "the config is empty", code="empty")
        )
    try:
        raw = load(data)
    except Malformed as fault:
        report = _report_of_fault(data, fault)
        return Checked(report, failure=ConfigError(f"{name} is not JSON", report))
    version, mismatches = _version_of(raw)
    if mismatches:
        return _mismatching(name, data, mismatches)
    try:
        spec = spec_of(version)
    except SpecVersionError as wrong:
        hint = f"set `ignition.version` to one of {', '.join(spec.version for spec in Spec)}"
        if version.startswith(("1.", "2.")):
            hint = f"translate the config: spec 1 and 2 are another language; then {hint}"
        failure = ConfigError(f"{name} has no usable version: {wrong}", hint=hint)
        path = ("ignition", "version")
        return _rejected(failure, Entry(Severity.ERROR, str(wrong), path, code="spec-version", hint=hint))
    return _check_as(name, data, raw, spec)


def _rejected(failure: IgnitionError, rejection: Entry) -> Checked:
    return Checked(Report(), failure=failure, rejection=rejection)


def _check_as(name: str, data: bytes, raw: Raw, spec: Spec) -> Checked:
    shape = shape_of(Config, spec)
    config, found = decode(raw, shape)
    assert isinstance(config, Config)
    if found.mismatches:
        return replace(_mismatching(name, data, found.mismatches), spec=spec)
    entries = [*check_config(config, spec), *duplicates(config)]
    if found.irregular:
        entries += irregularities(raw, config, shape)
    report = _with_positions(data, entries) if entries else Report()
    failure = ConfigError(f"{name} is invalid", report) if report.is_fatal else None
    return Checked(report, config, spec, failure)


def _version_of(raw: Raw) -> tuple[str, Mismatches]:
    """Return `ignition.version`, empty if it is missing, without decoding the rest."""
    outer, inner = shape_of(Config, LATEST), shape_of(Ignition, LATEST)
    ignition = replace(outer.slots["ignition"], shape=inner.only(version=inner.slots["version"]))
    config, found = decode(raw, outer.only(ignition=ignition))
    assert isinstance(config, Config)
    return config.ignition.version, found.mismatches


def _mismatching(name: str, data: bytes, mismatches: Mismatches) -> Checked:
    from ignition.config.json.positions import Places

    places = Places(data)
    report = Report.of(
        Entry(
            Severity.ERROR,
            f"{format_path(mismatch.path)}: expected {mismatch.expected}, found {mismatch.found}",
            position=places.after(steps),
            code="wrong-type",
            mismatch=mismatch,
        )
        for steps, mismatch in mismatches
    )
    return Checked(report, failure=ConfigError(f"{name} is invalid", report))


def _report_of_fault(data: bytes, fault: Malformed) -> Report:
    from ignition.config.json.positions import position_of_fault

    entry = Entry(
        Severity.ERROR,
        f"not JSON: {fault}",
        position=position_of_fault(data, fault),
        code="not-json",
        hint=_hint_for(data),
    )
    return Report((entry,))


def _hint_for(data: bytes) -> str:
    """Return a hint for common inputs that are not JSON; empty if none applies."""
    if data.startswith(b"\x1f\x8b"):
        return (
            "decompress the config: the data is gzip-compressed (a reference can set `compression` to gzip)"
        )
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "save the config as UTF-8 without a byte order mark"
    if data.startswith(b"#cloud-config"):
        return "write the config in JSON: this is a cloud-init config"
    if data.startswith(b"#!"):
        return "write the config in JSON: this is a script"
    if data.startswith(b"variant:") or b"\nvariant:" in data:
        return "translate the config to JSON with butane: this is a Butane config"
    if data.lstrip()[:1] == b"<":
        return "check the source of the config: this is HTML or XML"
    return ""


def _with_positions(data: bytes, entries: Iterable[Entry]) -> Report:
    from ignition.config.json.positions import Places

    places = Places(data)
    return Report.of(
        replace(
            entry,
            position=(places.of_key if entry.code in ABOUT_KEYS else places.of)(entry.path or ()),
        )
        for entry in entries
    )
