"""What there is to say of one document, ready to be shown: every reason is a finding.

`ignition.config.parse.check` reports what the reference reports, and a document
without a usable version gets no entry there, only a failure. Here that is a finding
like any other, with a code, a place and advice.
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
from ignition.errors import EmptyConfig, IgnitionError
from ignition.schemas.spec import STABLE, SpecVersion

__all__ = ["Finding", "Verdict", "judge", "unreadable"]


@dataclass(frozen=True)
class Finding:
    """One entry of a report with what its place looks like.

    Attributes:
        entry: what was found; its column counts bytes.
        character: the column in characters; 0 if the place is not known.
        excerpt: the line that it is about; None if the place is not known.
    """

    entry: Entry
    character: int = 0
    excerpt: Excerpt | None = None


@dataclass(frozen=True)
class Verdict:
    """The verdict on one document.

    Attributes:
        file: its name, as the user gave it.
        valid: whether it has no errors.
        version: the spec version that it says; None if it says none that is known.
        findings: all that was found, in the reference's order.
    """

    file: str
    valid: bool
    version: SpecVersion | None = None
    findings: tuple[Finding, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many findings are this severe."""
        return sum(finding.entry.severity is severity for finding in self.findings)


def judge(data: bytes, file: str) -> Verdict:
    """Judge a document; never raises."""
    checked = check(data)
    entries = tuple(_entries(checked, data))
    version = None if checked.spec is None else checked.spec.version
    findings = tuple(_shown(entries, data)) if entries else ()
    return Verdict(file, checked.failure is None, version, findings)


def unreadable(file: str, reason: str) -> Verdict:
    """The verdict on what cannot even be read."""
    entry = Entry(Severity.ERROR, f"cannot be read: {reason}", code="unreadable")
    return Verdict(file, valid=False, findings=(Finding(entry),))


def _entries(checked: Checked, data: bytes) -> Iterator[Entry]:
    yield from checked.report
    if checked.failure is not None and not checked.report.is_fatal:
        yield _failure(checked.failure, data)


def _failure(failure: IgnitionError, data: bytes) -> Entry:
    """What is wrong with a document that is not even judged."""
    if isinstance(failure, EmptyConfig):
        hint = f'the smallest config is {{"ignition": {{"version": "{STABLE}"}}}}'
        return Entry(Severity.ERROR, "the config is empty", code="empty", hint=hint)
    from ignition.config.json.positions import Places

    path = ("ignition", "version")
    position = Places(data).of(path)
    said = Text(data).token(position, Side.VALUE)
    if not said.startswith(b'"'):
        message, hint = "the version of the spec is missing", f'`"ignition": {{"version": "{STABLE}"}}`'
    else:
        message, hint = str(failure), failure.hint
    return Entry(Severity.ERROR, message.rpartition(": ")[2], path, position, "spec-version", hint)


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
    if entry.code == "wrong-type":
        return Side.READ
    if entry.path is None:
        return Side.AMISS
    return Side.ITEM if entry.path and isinstance(entry.path[-1], int) else Side.VALUE


_QUOTED: Final = {
    "an integer": re.compile(rb'"-?[0-9]{1,18}"'),
    "true or false": re.compile(rb'"(?:true|false)"'),
}
_OCTAL: Final = re.compile(rb'"(?:0o?)?([0-7]{3,4})"')


def _advice(entry: Entry, token: bytes) -> str:
    """What to write instead of a value of the wrong type, where the value tells."""
    if entry.code != "wrong-type":
        return ""
    wanted = entry.message.rpartition(" where ")[2].removesuffix(" is expected")
    field = entry.message.partition(" ")[0].rpartition(".")[2]
    octal = _OCTAL.fullmatch(token)
    if field == "mode" and octal:
        digits = octal[1].decode()
        if token.startswith(b'"0'):
            return f"JSON numbers are decimal; for 0{digits.lstrip('0')} write {int(digits, 8)}"
        return f"write {digits} if that is decimal, and {int(digits, 8)} if 0{digits} is meant"
    if wanted in _QUOTED and _QUOTED[wanted].fullmatch(token):
        return "write it without the quotes"
    return ""
