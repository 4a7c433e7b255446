# SPDX-License-Identifier: Apache-2.0
"""Running real programs."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import Command, CommandFailed, Secret
from ignition.host.run import run

pytestmark = pytest.mark.real_commands


def sh(script: str, **options: object) -> Command:
    return Command(("sh", "-c", script), "testing", **options)  # type: ignore[arg-type]


def test_run_returns_status_and_both_streams() -> None:
    ran = run(sh("echo out; echo err >&2"))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "out\n", "err\n")


def test_stdin_is_empty_unless_given() -> None:
    assert run(sh("cat")).stdout == ""
    assert run(sh("cat", stdin=b"given")).stdout == "given"


def test_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    names = {line.partition("=")[0] for line in run(Command(("env",), "testing")).stdout.splitlines()}
    assert names == {"LC_ALL", "PATH"}


def test_environment_has_the_variables_of_the_command() -> None:
    assert "given=here\n" in run(Command(("env",), "testing", environment=(("given", "here"),))).stdout


def test_unaccepted_status_is_an_error() -> None:
    assert run(sh("exit 2", ok=(0, 2))).status == 2
    with pytest.raises(CommandFailed, match="status 3: broken"):
        run(sh("echo broken >&2; exit 3", ok=(0, 2)))


def test_missing_program_is_an_error_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(IgnitionError, match='program "sfdisk" not found') as caught:
        run(Command(("sfdisk", "--version"), "testing"))
    assert caught.value.hint == "install the package fdisk"


def test_argument_with_nul_byte_is_an_error_without_its_text() -> None:
    with pytest.raises(IgnitionError, match="cannot start true: an argument contains a NUL byte") as caught:
        run(Command(("true", Secret("s3cr3t\0")), "testing"))
    assert "s3cr3t" not in str(caught.value)


def test_missing_null_device_is_not_reported_as_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.devnull", "/nonexistent/null")
    with pytest.raises(FileNotFoundError, match="/nonexistent/null"):
        run(Command(("true",), "testing"))


def test_invalid_utf8_output_is_replaced() -> None:
    assert run(sh(r"printf '\377'")).stdout == "�"


def test_debug_log_hides_secrets(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    logger = logging.getLogger("ignition")
    logger.propagate = True
    with caplog.at_level(logging.DEBUG, logger="ignition"):
        run(Command(("true", Secret("hunter2")), "testing"))
    assert 'executing: "true" "***"' in caplog.text
    assert "hunter2" not in caplog.text
