# SPDX-License-Identifier: Apache-2.0
"""Verdicts of the reference validator that the distribution packages.

It knows the spec up to 3.3.0. Rules that were added or dropped later are excluded from the
comparison (`NEWER_RULES`, `is_dropped_rule`); everything else must agree.
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
"""Codes of rules that are newer than the packaged release."""


@dataclass(frozen=True, order=True)
class Line:
    """One line of a report, without its message."""

    severity: str
    path: str
    line: int
    column: int


@dataclass(frozen=True)
class Verdict:
    """Exit status and report; warnings of unused keys have no defined order and are sorted."""

    status: int
    lines: tuple[Line, ...]
    keys: tuple[Line, ...] = ()


def verdict_of_reference(data: bytes) -> Verdict:
    ran = subprocess.run([VALIDATOR, "-"], input=data, capture_output=True, check=False)
    lines: list[Line] = []
    keys: list[Line] = []
    # A percent sign in a message can remove the newline, so findings do not always start a line.
    for match in _LINE.finditer(ran.stdout.decode(errors="replace")):
        severity, path, line, column, message = match.groups()
        found = Line(severity, path or "", int(line or 0), int(column or 0))
        (keys if message.startswith(_ABOUT_TREE) else lines).append(found)
    return Verdict(ran.returncode, tuple(lines), tuple(sorted(keys)))


def verdict_of(checked: Checked) -> Verdict:
    """Convert our verdict, without the rules that the packaged release does not know."""
    lines: list[Line] = []
    keys: list[Line] = []
    known = [entry for entry in checked.report if entry.code not in NEWER_RULES]
    for entry in known:
        about_tree = entry.code in ("unused-key", "newer-key", "not-an-object")
        (keys if about_tree else lines).append(_line(entry))
    only_newer = checked.report.is_fatal and not Report.of(known).is_fatal
    return Verdict(1 if checked.failure and not only_newer else 0, tuple(lines), tuple(sorted(keys)))


def agree(ours: Verdict, theirs: Verdict) -> bool:
    """Compare verdicts; the reference reports only the first value of the wrong type."""
    if len(theirs.lines) == 1 and not theirs.lines[0].path and ours.lines[1:]:
        ours = replace(ours, lines=ours.lines[:1])
    return ours == theirs


def is_dropped_rule(ours: Verdict, theirs: Verdict) -> bool:
    """Whether the difference is the rule that later releases dropped.

    The packaged release refuses partitions of number 0 beside partitions that must not exist.
    """
    return any(
        re.fullmatch(r"\$\.storage\.disks\.\d+\.partitions", line.path) for line in theirs.lines
    ) and any(line not in ours.lines for line in theirs.lines)


def _line(entry: Entry) -> Line:
    assert entry.position is not None, entry
    path = "" if entry.path is None else format_path(entry.path)
    return Line(entry.severity.value, path, entry.position.line, entry.position.column)
