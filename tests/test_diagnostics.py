# SPDX-License-Identifier: Apache-2.0
"""Reports, printed like those of the reference."""

from __future__ import annotations

import pytest

from ignition.configpath import format_path
from ignition.diagnostics import Entry, Position, Report, Severity


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Entry(Severity.ERROR, "m", ("a", 0, "b"), Position(3, 7)), "error at $.a.0.b, line 3 col 7: m"),
        (Entry(Severity.WARNING, "m", ("a",)), "warning at $.a: m"),
        (Entry(Severity.INFO, "m", None, Position(1, 2)), "info at line 1 col 2: m"),
        (Entry(Severity.ERROR, "100%s"), "error: 100%s"),
        (Entry(Severity.ERROR, "m", ()), "error at $: m"),
    ],
)
def test_entry_prints_as_one_line(entry: Entry, text: str) -> None:
    assert str(entry) == text


def test_report_is_fatal_with_errors_only() -> None:
    assert not Report.of([Entry(Severity.WARNING, "w"), Entry(Severity.INFO, "i")]).is_fatal
    assert Report.of([Entry(Severity.WARNING, "w"), Entry(Severity.ERROR, "e")]).is_fatal
    assert not Report().is_fatal


def test_under_adds_the_prefix() -> None:
    report = Report.of([Entry(Severity.ERROR, "m", ("path",)), Entry(Severity.ERROR, "m")])
    assert [entry.path for entry in report.under(("files", 0))] == [("files", 0, "path"), ("files", 0)]


def test_placed_adds_missing_positions() -> None:
    fixed = Position(9, 9)
    report = Report.of(
        [
            Entry(Severity.ERROR, "m", ("a",)),
            Entry(Severity.ERROR, "m"),
            Entry(Severity.ERROR, "m", ("b",), fixed),
        ]
    )
    placed = report.placed(lambda path: Position(1, len(path)))
    assert [entry.position for entry in placed] == [Position(1, 1), None, fixed]


def test_reports_join_in_order() -> None:
    joined = Report.of([Entry(Severity.ERROR, "a")]) + Report.of([Entry(Severity.INFO, "b")])
    assert str(joined) == "error: a\ninfo: b"
    assert len(joined) == 2
    assert not Report()


def test_control_characters_in_key_are_escaped() -> None:
    assert format_path(("\x1b[2Jclear", "naïve ☃")) == "$.\\x1b[2Jclear.naïve ☃"
    assert str(Entry(Severity.WARNING, "unused key \x1b[2J")) == "warning: unused key \\x1b[2J"


def test_empty_path_prints_as_root() -> None:
    assert format_path(()) == "$"
