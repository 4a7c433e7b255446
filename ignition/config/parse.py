"""Bytes → config: the one way in.

    parsed = parse(data, source="user.ign")
    parsed.config        # the newest form, whatever version the document says
    parsed.report        # warnings, with line and column

Source: config-spec sections 1 to 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ignition.config.json.decode import load
from ignition.config.json.shape import ABOUT_KEYS, Misfit, decode, irregularities, shape_of
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
        report: warnings at most.
        spec: the version that the document says.
        source: where it came from, as the caller named it.
    """

    config: Config
    report: Report
    spec: Spec
    source: str = ""


@dataclass(frozen=True)
class Checked:
    """What there is to say of a document, valid or not.

    Attributes:
        report: all findings, with line and column.
        config: in the version that the document says; None if it could not be decoded.
        spec: the version that the document says; None if it says none that is known.
        failure: why the document is no config; None if it is one.
    """

    report: Report
    config: Config | None = None
    spec: Spec | None = None
    failure: IgnitionError | None = None


def parse(data: bytes, *, source: str = "") -> Parsed:
    """Read a config of any known version and bring it to the newest form.

    Args:
        data: the document; JSON and nothing else.
        source: where it came from, for messages; must hold nothing secret.

    Raises:
        EmptyConfig: there are zero bytes.
        ConfigError: the document is no config, or one with errors; its report says where.
    """
    checked = check(data, source=source)
    if checked.failure is not None:
        raise checked.failure
    assert checked.config is not None
    assert checked.spec is not None
    return Parsed(upgrade(checked.config, checked.spec), checked.report, checked.spec, source)


def check(data: bytes, *, source: str = "") -> Checked:
    """Judge a document; never raises."""
    name = f"the config from {source}" if source else "the config"
    if not data:
        return Checked(Report(), failure=EmptyConfig(f"{name} is empty"))
    try:
        raw = load(data)
    except Malformed as fault:
        report = _report_of_fault(data, fault)
        return Checked(report, failure=ConfigError(f"{name} is not JSON", report))
    version, misfits = _version_of(raw)
    if misfits:
        return _misfitting(name, data, misfits)
    try:
        spec = spec_of(version)
    except SpecVersionError as wrong:
        hint = f"`ignition.version` is one of {', '.join(spec.version for spec in Spec)}"
        if version.startswith(("1.", "2.")):
            hint = f"configs of spec 1 and 2 are another language and have to be translated; {hint}"
        return Checked(Report(), failure=ConfigError(f"{name} has no usable version: {wrong}", hint=hint))
    return _check_as(name, data, raw, spec)


def _check_as(name: str, data: bytes, raw: Raw, spec: Spec) -> Checked:
    shape = shape_of(Config, spec)
    config, found = decode(raw, shape)
    assert isinstance(config, Config)
    if found.misfits:
        return replace(_misfitting(name, data, found.misfits), spec=spec)
    entries = [*check_config(config, spec), *duplicates(config)]
    if found.irregular:
        entries += irregularities(raw, config, shape)
    report = _placed(data, entries) if entries else Report()
    failure = ConfigError(f"{name} is invalid", report) if report.is_fatal else None
    return Checked(report, config, spec, failure)


def _version_of(raw: Raw) -> tuple[str, list[Misfit]]:
    """What the document says in `ignition.version`, before its version is known."""
    outer, inner = shape_of(Config, LATEST), shape_of(Ignition, LATEST)
    ignition = replace(outer.slots["ignition"], shape=inner.only(version=inner.slots["version"]))
    config, found = decode(raw, outer.only(ignition=ignition))
    assert isinstance(config, Config)
    return config.ignition.version, found.misfits


def _misfitting(name: str, data: bytes, misfits: Iterable[Misfit]) -> Checked:
    from ignition.config.json.positions import Places

    places = Places(data)
    report = Report.of(
        Entry(
            Severity.ERROR,
            f"{format_path(misfit.path)} is {misfit.found}, where {misfit.expected} is expected",
            position=places.after(misfit.steps),
            code="wrong-type",
        )
        for misfit in misfits
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
    """What the bytes look like, if it is something that people do hand over."""
    if data.startswith(b"\x1f\x8b"):
        return "the bytes are gzip-compressed; a reference has `compression` for that"
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "the text starts with a byte order mark; save it as UTF-8 without one"
    if data.startswith(b"#cloud-config"):
        return "this is a cloud-init config, which is another language"
    if data.startswith(b"#!"):
        return "this is a script"
    if data.startswith(b"variant:") or b"\nvariant:" in data:
        return "this is a Butane config; translate it first"
    if data.lstrip()[:1] == b"<":
        return "this is HTML or XML"
    return ""


def _placed(data: bytes, entries: Iterable[Entry]) -> Report:
    from ignition.config.json.positions import Places

    places = Places(data)
    return Report.of(
        replace(
            entry,
            position=(places.of_key if entry.code in ABOUT_KEYS else places.of)(entry.path or ()),
        )
        for entry in entries
    )
