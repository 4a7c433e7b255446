"""The distribution's packaged reference validator, asked for its verdict.

It is older than the language that is spoken here: it knows the spec up to 3.3.0, and
three rules have changed since. `differs_on_purpose` names the documents where that
shows; everything else must agree.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from ignition.config.parse import Checked
from ignition.configpath import format_path
from ignition.diagnostics import Entry, Report

VALIDATOR = Path("/usr/bin/ignition-validate")

_LINE = re.compile(r"(error|warning|info) at (?:(\$.*?), )?line (\d+) col (\d+): (.*)")
_ABOUT_TREE = ("Unused key", "context tree does not match")

NEWER_RULES = (
    "hard-link-owner",
    "filesystem-on-partitioned-disk",
    "filesystem-wiped",
    "unit-path",
    "template-install-missing",
)
"""What came after the packaged release."""


@dataclass(frozen=True, order=True)
class Line:
    """One line of a report, without its words."""

    severity: str
    path: str
    line: int
    column: int


@dataclass(frozen=True)
class Verdict:
    """Exit status and report; what is said of unused keys has no order of its own."""

    status: int
    lines: tuple[Line, ...]
    keys: tuple[Line, ...] = ()


def verdict_of_reference(data: bytes) -> Verdict:
    ran = subprocess.run([VALIDATOR, "-"], input=data, capture_output=True, check=False)
    lines: list[Line] = []
    keys: list[Line] = []
    # A percent sign in a message can swallow the line's end: lines need not start where one does.
    for match in _LINE.finditer(ran.stdout.decode(errors="replace")):
        severity, path, line, column, message = match.groups()
        found = Line(severity, path or "", int(line or 0), int(column or 0))
        (keys if message.startswith(_ABOUT_TREE) else lines).append(found)
    return Verdict(ran.returncode, tuple(lines), tuple(sorted(keys)))


def verdict_of(checked: Checked) -> Verdict:
    """Our own verdict in the same terms, as far as the packaged release knows the rules."""
    lines: list[Line] = []
    keys: list[Line] = []
    known = [entry for entry in checked.report if entry.code not in NEWER_RULES]
    for entry in known:
        about_tree = entry.code in ("unused-key", "newer-key", "not-an-object")
        (keys if about_tree else lines).append(_line(entry))
    only_newer = checked.report.is_fatal and not Report.of(known).is_fatal
    return Verdict(1 if checked.failure and not only_newer else 0, tuple(lines), tuple(sorted(keys)))


def agree(ours: Verdict, theirs: Verdict) -> bool:
    """Whether both say the same; of values of the wrong type the reference reports the first only."""
    if len(theirs.lines) == 1 and not theirs.lines[0].path and ours.lines[1:]:
        ours = replace(ours, lines=ours.lines[:1])
    return ours == theirs


def knew_more(ours: Verdict, theirs: Verdict) -> bool:
    """Whether the packaged release used the one rule that later releases dropped.

    It refused partitions of number 0 beside ones that must not exist.
    """
    return any(
        re.fullmatch(r"\$\.storage\.disks\.\d+\.partitions", line.path) for line in theirs.lines
    ) and any(line not in ours.lines for line in theirs.lines)


def _line(entry: Entry) -> Line:
    assert entry.position is not None, entry
    path = "" if entry.path is None else format_path(entry.path)
    return Line(entry.severity.value, path, entry.position.line, entry.position.column)
