"""The one gate for programs, with real programs."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import Command, CommandFailed, Secret
from ignition.host.run import run

pytestmark = pytest.mark.real_commands


def sh(script: str, **options: object) -> Command:
    return Command(("sh", "-c", script), "testing", **options)  # type: ignore[arg-type]


def test_both_streams_come_back() -> None:
    ran = run(sh("echo out; echo err >&2"))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "out\n", "err\n")


def test_nothing_is_read_unless_given() -> None:
    assert run(sh("cat")).stdout == ""
    assert run(sh("cat", stdin=b"given")).stdout == "given"


def test_the_environment_is_built_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    names = {line.partition("=")[0] for line in run(Command(("env",), "testing")).stdout.splitlines()}
    assert names == {"LC_ALL", "PATH"}


def test_a_command_may_bring_variables_of_its_own() -> None:
    assert "given=here\n" in run(Command(("env",), "testing", environment=(("given", "here"),))).stdout


def test_only_accepted_statuses_are_answers() -> None:
    assert run(sh("exit 2", ok=(0, 2))).status == 2
    with pytest.raises(CommandFailed, match="status 3: broken"):
        run(sh("echo broken >&2; exit 3", ok=(0, 2)))


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(IgnitionError, match="sfdisk is not here") as caught:
        run(Command(("sfdisk", "--version"), "testing"))
    assert "fdisk" in caught.value.hint


def test_an_argument_that_no_program_can_get_is_an_error_without_it() -> None:
    with pytest.raises(IgnitionError, match="cannot start true: an argument has a NUL in it") as caught:
        run(Command(("true", Secret("s3cr3t\0")), "testing"))
    assert "s3cr3t" not in str(caught.value)


def test_without_a_null_device_no_program_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.devnull", "/nonexistent/null")
    with pytest.raises(FileNotFoundError, match="/nonexistent/null"):
        run(Command(("true",), "testing"))


def test_output_that_is_no_utf8_does_not_stop_anything() -> None:
    assert run(sh(r"printf '\377'")).stdout == "�"


def test_the_debug_log_hides_secrets(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    logger = logging.getLogger("ignition")
    logger.propagate = True
    with caplog.at_level(logging.DEBUG, logger="ignition"):
        run(Command(("true", Secret("hunter2")), "testing"))
    assert 'executing: "true" "***"' in caplog.text
    assert "hunter2" not in caplog.text
