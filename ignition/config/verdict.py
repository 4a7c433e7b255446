# SPDX-License-Identifier: Apache-2.0
"""The verdict on one document, with all findings ready to be printed.

`ignition.config.parse.check` reports what the reference reports, where an empty document
or an unusable version is only a failure. Here it is a finding with a code, a position and
a hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ignition.config.excerpt import Excerpt, Side, Text
from ignition.config.json.shape import ABOUT_KEYS
from ignition.config.parse import Checked, check
from ignition.diagnostics import Entry, Severity
from ignition.schemas.spec import STABLE, SpecVersion

__all__ = ["Finding", "Verdict", "judge", "unreadable"]


@dataclass(frozen=True)
class Finding:
    """An entry of a report with an excerpt of the document.

    Attributes:
        entry: the entry; its column counts bytes.
        character: the column in characters; 0 if the position is unknown.
        excerpt: the line of the document; None if the position is unknown.
    """

    entry: Entry
    character: int = 0
    excerpt: Excerpt | None = None


@dataclass(frozen=True)
class Verdict:
    """The verdict on one document.

    Attributes:
        file: the file name, as the user gave it.
        valid: whether the document has no errors.
        version: the document's spec version; None if it is missing or unknown.
        findings: all findings, in the reference's order.
    """

    file: str
    valid: bool
    version: SpecVersion | None = None
    findings: tuple[Finding, ...] = ()

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(finding.entry.severity is severity for finding in self.findings)


def judge(data: bytes, file: str) -> Verdict:
    """Check a document; never raises."""
    checked = check(data)
    entries = tuple(_entries(checked, data))
    version = None if checked.spec is None else checked.spec.version
    findings = tuple(_shown(entries, data)) if entries else ()
    return Verdict(file, checked.failure is None, version, findings)


def unreadable(file: str, reason: str) -> Verdict:
    """Return the verdict on a file that cannot be read."""
    entry = Entry(Severity.ERROR, f"cannot read the file: {reason}", code="unreadable")
    return Verdict(file, valid=False, findings=(Finding(entry),))


def _entries(checked: Checked, data: bytes) -> Iterator[Entry]:
    yield from checked.report
    if checked.rejection is not None:
        yield _rejection(checked.rejection, data)


def _rejection(entry: Entry, data: bytes) -> Entry:
    """Add position and hint to the finding on a document that was not decoded."""
    smallest = f'{{"ignition": {{"version": "{STABLE}"}}}}'
    if entry.path is None:
        return replace(entry, hint=f"write at least {smallest}")
    from ignition.config.json.positions import Places

    position = Places(data).of(entry.path)
    if Text(data).token(position, Side.VALUE).startswith(b'"'):
        return replace(entry, position=position)
    message, hint = "`ignition.version` is missing", f"set `ignition.version`: {smallest}"
    return replace(entry, message=message, position=position, hint=hint)


def _shown(entries: tuple[Entry, ...], data: bytes) -> Iterator[Finding]:
    text = Text(data)
    for entry in entries:
        if entry.position is None or not entry.position.line:
            yield Finding(entry)
            continue
        side = _side(entry)
        advised = replace(entry, hint=entry.hint or _advice(entry, text.token(entry.position, side)))
        yield Finding(advised, text.character(entry.position), text.excerpt(entry.position, side))


def _side(entry: Entry) -> Side:
    if entry.code in ABOUT_KEYS:
        return Side.KEY
    if entry.mismatch is not None:
        return Side.READ
    if entry.path is None:
        return Side.FAULT
    return Side.ITEM if entry.path and isinstance(entry.path[-1], int) else Side.VALUE


_QUOTED: Final = {
    "an integer": re.compile(rb'"-?[0-9]{1,18}"'),
    "true or false": re.compile(rb'"(?:true|false)"'),
}
_OCTAL: Final = re.compile(rb'"(?:0o?)?([0-7]{3,4})"')


def _advice(entry: Entry, token: bytes) -> str:
    """Return a hint for a value of the wrong type, if its text shows the intended value."""
    mismatch = entry.mismatch
    if mismatch is None:
        return ""
    octal = _OCTAL.fullmatch(token)
    if mismatch.path[-1:] == ("mode",) and octal:
        digits = octal[1].decode()
        if token.startswith(b'"0'):
            return f"JSON numbers are decimal; for 0{digits.lstrip('0')} write {int(digits, 8)}"
        return f"write {digits} for the decimal number, or {int(digits, 8)} for the octal mode 0{digits}"
    quoted = _QUOTED.get(mismatch.expected)
    return "remove the quotes" if quoted is not None and quoted.fullmatch(token) else ""
