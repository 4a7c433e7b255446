# SPDX-License-Identifier: Apache-2.0
"""Output formats of `ignition validate`: each turns verdicts into pieces of text."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ignition.config.verdict import Finding, Verdict
from ignition.configpath import format_path
from ignition.diagnostics import Position, Severity
from ignition.text import printable
from ignition.version import VERSION

__all__ = ["OUTPUTS"]

SARIF_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
GITHUB_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
NOWHERE: Final = Position(0, 0)


def as_text(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Format for people: each finding with its line, a caret and a hint; a summary at the end."""
    valid = total = 0
    counts = dict.fromkeys(Severity, 0)
    for verdict in verdicts:
        total += 1
        valid += verdict.valid
        for severity in Severity:
            counts[severity] += verdict.count(severity)
        name = "<stdin>" if verdict.file == "-" else printable(verdict.file)
        for finding in verdict.findings:
            yield _card(name, finding)
    found = [_counted(count, severity.value) for severity, count in counts.items() if count]
    yield f"{'; '.join((_summary(valid, total), ', '.join(found))) if found else _summary(valid, total)}\n"


def _summary(valid: int, total: int) -> str:
    if total == 1:
        return "valid" if valid else "not valid"
    return f"{valid} of {total} files valid" if valid < total else f"{total} files valid"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _card(name: str, finding: Finding) -> str:
    entry = finding.entry
    place = (
        f"{name}:{entry.position.line}:{finding.character}" if finding.character and entry.position else name
    )
    lines = [f"{place}: {entry.severity.value}: {printable(entry.message)} [{entry.code}]"]
    if finding.excerpt is not None:
        lines.append(str(finding.excerpt))
    if entry.path is not None:
        lines.append(f"  at {printable(format_path(entry.path))}")
    if entry.hint:
        lines.append(f"  hint: {printable(entry.hint)}")
    return "\n".join(lines) + "\n\n"


def as_json(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Format for programs: one JSON object per line; columns count bytes, 0 is an unknown position."""
    for verdict in verdicts:
        yield json.dumps(_object(verdict)) + "\n"


def _object(verdict: Verdict) -> dict[str, Any]:
    return {
        "file": verdict.file,
        "valid": verdict.valid,
        "version": verdict.version,
        "entries": [_entry(finding) for finding in verdict.findings],
    }


def _entry(finding: Finding) -> dict[str, str | int]:
    entry = finding.entry
    position = entry.position or NOWHERE
    return {
        "severity": entry.severity.value,
        "path": "" if entry.path is None else format_path(entry.path),
        "line": position.line,
        "column": position.column,
        "code": entry.code,
        "message": entry.message,
        "hint": entry.hint,
    }


def as_github(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Format of GitHub workflow commands, which annotate lines of a pull request."""
    for verdict in verdicts:
        for finding in verdict.findings:
            yield _annotation(verdict.file, finding)


def _annotation(file: str, finding: Finding) -> str:
    entry = finding.entry
    properties = {"file": file} if file != "-" else {}
    if finding.character and entry.position:
        properties |= {"line": str(entry.position.line), "col": str(finding.character)}
    properties["title"] = entry.code
    given = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    path = "" if entry.path is None else f"{format_path(entry.path)}: "
    hint = f"\n{entry.hint}" if entry.hint else ""
    return f"::{GITHUB_COMMANDS[entry.severity]} {given}::{_escaped(f'{path}{entry.message}{hint}')}\n"


def _escaped(text: str, further: str = "") -> str:
    """Percent-encode characters that would end a workflow command or one of its properties."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" or c in further else c for c in text)


def as_sarif(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Format SARIF 2.1.0: one log for all files."""
    rules: dict[str, int] = {}
    results = [_result(verdict, finding, rules) for verdict in verdicts for finding in verdict.findings]
    driver = {"name": "ignition", "version": VERSION, "rules": [_rule(code) for code in rules]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    yield json.dumps(log, indent=2) + "\n"


def _rule(name: str) -> dict[str, Any]:
    from ignition.config.codes import codes

    code = codes()[name]
    return {
        "id": name,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.cause},
        "help": {"text": code.remedy},
        "defaultConfiguration": {"level": SARIF_LEVELS[code.severity]},
    }


def _result(verdict: Verdict, finding: Finding, rules: dict[str, int]) -> dict[str, Any]:
    entry = finding.entry
    hint = f" ({entry.hint})" if entry.hint else ""
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(verdict.file)}}
    if finding.character and entry.position:
        physical["region"] = {"startLine": entry.position.line, "startColumn": finding.character}
    location: dict[str, Any] = {"physicalLocation": physical}
    if entry.path is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": format_path(entry.path)}]
    return {
        "ruleId": entry.code,
        "ruleIndex": rules.setdefault(entry.code, len(rules)),
        "level": SARIF_LEVELS[entry.severity],
        "message": {"text": f"{entry.message}{hint}"},
        "locations": [location],
    }


def _uri(file: str) -> str:
    from urllib.parse import quote

    prefix = "file://" if os.path.isabs(file) else "" if ":" not in file else "./"
    return prefix + quote(os.fsencode(file))


OUTPUTS: Final[Mapping[str, Callable[[Iterable[Verdict]], Iterator[str]]]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
