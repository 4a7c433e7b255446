# SPDX-License-Identifier: Apache-2.0
"""`ignition-kargs-helper`: command line, exit status and messages."""

from __future__ import annotations

import sys

import pytest

from ignition import cli
from ignition.bootloader import helper
from ignition.bootloader.arguments import ArgumentRequest
from ignition.errors import IgnitionError, UsageError
from ignition.stages.kargs import KernelArguments, SetKernelArguments
from ignition.verbs.ignition_kargs_helper import main, parsed
from tests.stages.files.lab import config_of


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ((), ())),
        (["--should-exist", "a", "--should-exist", "b c"], (("a", "b c"), ())),
        (["--should-not-exist", "a", "--should-exist", "b=c"], (("b=c",), ("a",))),
        (["--should-exist=a=b"], (("a=b",), ())),
        # An argument may look like an option.
        (["--should-exist", "--should-exist", "--should-not-exist", "-x"], (("--should-exist",), ("-x",))),
    ],
)
def test_parsed_returns_arguments_in_order(
    words: list[str], expected: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    assert parsed(words) == expected


def test_helper_parses_command_of_engine() -> None:
    config = config_of(kernelArguments={"shouldExist": ["a=b c", "-x"], "shouldNotExist": ["q"]})
    (action,) = KernelArguments().plan(config, None).actions
    assert isinstance(action, SetKernelArguments)
    assert parsed(action.command.real_argv()[1:]) == (("a=b c", "-x"), ("q",))


@pytest.mark.parametrize("words", [["a"], ["--should-exist"], ["--delete", "a"], ["-h"]])
def test_wrong_command_line_is_exit_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        parsed(words)
    assert main(words) == 2
    assert "usage: ignition-kargs-helper" in capsys.readouterr().err


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Record the settings and requests of the helper; raise the exception in it, if any."""
    asked: list[object] = []

    def set_arguments(self: helper.Helper, request: ArgumentRequest) -> None:
        if asked and isinstance(asked[0], Exception):
            raise asked[0]
        asked.append((self.loader, self.device, request))

    monkeypatch.setattr(helper.Helper, "set", set_arguments)
    return asked


def test_environment_selects_boot_loader_and_device(
    asked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--should-exist", "a"]) == 0
    monkeypatch.setenv("IGNITION_BOOT_LOADER", "grub")
    monkeypatch.setenv("IGNITION_BOOT_DEVICE", "LABEL=BOOT")
    assert main(["--should-not-exist", "b"]) == 0
    assert asked == [
        ("auto", "", ArgumentRequest(("a",))),
        ("grub", "LABEL=BOOT", ArgumentRequest((), ("b",))),
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IgnitionError("no way", hint="go another"), "no way\ngo another\n"),
        (IgnitionError("no way"), "no way\n"),
        (PermissionError(13, "Permission denied", "/grub/grub.cfg"), "/grub/grub.cfg: permission denied\n"),
        (OSError(28, "No space left on device"), "no space left on device\n"),
    ],
)
def test_failure_prints_reason(
    asked: list[object], error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.append(error)
    assert main(["--should-exist", "a"]) == 1
    assert capsys.readouterr().err == said


def test_program_name_selects_helper(asked: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/libexec/ignition-kargs-helper", "--should-exist", "a"])
    assert cli.main() == 0
    assert asked == [("auto", "", ArgumentRequest(("a",)))]
