# SPDX-License-Identifier: Apache-2.0
"""The failure card: its rows, its size, and no secrets."""

from __future__ import annotations

import pytest

from ignition.boot.failure_card import failure_card
from ignition.diagnostics import Entry, Position, Report, Severity
from ignition.errors import ActionFailed, ConfigError, FetchError, IgnitionError, NotFound, Refusal, Refused
from ignition.host.command import Command, CommandFailed, Ran, Secret


def chained(outer: IgnitionError, inner: BaseException) -> IgnitionError:
    try:
        raise outer from inner
    except IgnitionError as error:
        return error


def fits_one_screen(card: str) -> bool:
    lines = card.splitlines()
    return card.endswith("\n") and len(lines) <= 18 and max(map(len, lines)) <= 78


def test_card_of_failed_command_shows_command_and_stderr() -> None:
    command = Command(("useradd", "--password", Secret("$6$hash"), "core"), "creating user core", b"stdin")
    inner = CommandFailed(
        command, Ran(9, "", "useradd: line one\nuseradd: no space left\n"), hint="make room"
    )
    outer = ActionFailed("creating user core", "…", path=("passwd", "users", 0))
    card = failure_card("files", chained(outer, inner))
    assert fits_one_screen(card)
    for part in (
        "stage    files\n",
        "config   $.passwd.users.0\n",
        "action   creating user core\n",
        'command  "useradd" "--password" "***" "core"\n',
        "cause    exit status 9\n",
        "no space left",
        "try      make room\n",
    ):
        assert part in card
    assert "$6$" not in card


def test_card_escapes_control_characters() -> None:
    inner = CommandFailed(Command(("mkfs",), "x"), Ran(1, "", "\x1b[2Jgone\x07\n"), hint="\x9b31m")
    outer = ActionFailed('writing file "/etc/\x1b[31ma"', "…", path=("storage", "files", 0))
    card = failure_card("files", chained(outer, inner))
    assert card.replace("\n", "").isprintable()
    assert 'action   writing file "/etc/\\x1b[31ma"\n' in card
    assert "\\x1b[2Jgone\\x07\n" in card


def test_card_of_invalid_config_shows_positions() -> None:
    report = Report.of(
        [
            Entry(Severity.WARNING, "unused key x", ("x",), Position(1, 1)),
            Entry(Severity.ERROR, "path not absolute", ("storage", "files", 0, "path"), Position(12, 7)),
        ]
    )
    card = failure_card("fetch-offline", ConfigError("config is not valid", report))
    assert "error at $.storage.files.0.path, line 12 col 7: path not" in card
    assert "unused key" not in card
    assert "ignition validate" in card
    assert fits_one_screen(card)


@pytest.mark.parametrize("count", [1, 5, 6, 500])
def test_card_with_many_findings_fits_one_screen(count: int) -> None:
    findings = [Refusal(("storage", "disks", i), "/dev/vdb " + "has data on it " * 30) for i in range(count)]
    card = failure_card("disks", Refused(findings))
    assert fits_one_screen(card)
    assert "try      " in card
    assert "$.storage.disks.0" in card


def test_card_shows_innermost_cause_and_nearest_hint() -> None:
    card = failure_card(
        "files", chained(FetchError("fetching a file", hint=""), NotFound("http://x/y: no such thing"))
    )
    assert "cause    http://x/y: no such thing" in card
    assert "reaches the server" in card


def test_card_of_internal_error_shows_no_values() -> None:
    card = failure_card("files", KeyError("s3cret"))
    assert "KeyError" in card
    assert "s3cret" not in card


def test_card_of_os_error_shows_strerror() -> None:
    card = failure_card(
        "files",
        chained(ActionFailed("writing /etc/x", "…", path=("a",)), OSError(28, "No space left on device")),
    )
    assert "no space left on device" in card


def test_card_of_circular_cause_ends() -> None:
    error = IgnitionError("no room")
    error.__cause__ = error
    assert failure_card("mount", error).count("no room") == 1
