# SPDX-License-Identifier: Apache-2.0
"""`ignition-rmcfg`: the reference's command line and exit codes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ignition.errors import IgnitionError
from ignition.platform import provider as platform
from ignition.platform.provider import Provider, ProviderContext
from ignition.verbs.ignition_rmcfg import main

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "'--platform' must be provided"),
        (["--platform=qemu", "more"], 2, "Usage of ignition-rmcfg:"),
        (["-nope"], 2, "Usage of ignition-rmcfg:"),
        (["--platform=nope"], 2, 'unknown platform "nope"'),
        (["-help"], 0, "Usage of ignition-rmcfg:"),
    ],
)
def test_command_line_exit_statuses(capsys: Capture, arguments: list[str], status: int, says: str) -> None:
    assert main(arguments) == status
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.out == ""


def test_version_is_printed(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("Ignition ")


def test_platform_without_delete_is_exit_status_1(capsys: Capture) -> None:
    assert main(["-platform", "qemu", "-log-to-stdout"]) == 1
    assert "the platform qemu has no way to delete it" in capsys.readouterr().out


def asked(delete: Callable[[ProviderContext], None], monkeypatch: pytest.MonkeyPatch) -> int:
    provider = Provider("some", "somewhere", lambda _: b"", delete)
    monkeypatch.setattr(platform, "load", lambda name: provider)
    return main(["--platform=some", "--log-to-stdout"])


def test_platform_with_delete_deletes_config(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[ProviderContext] = []
    assert asked(calls.append, monkeypatch) == 0
    assert len(calls) == 1
    assert "deleted config" in capsys.readouterr().out


def test_failed_delete_is_exit_status_1(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: ProviderContext) -> None:
        raise IgnitionError("the hypervisor says no")

    assert asked(fail, monkeypatch) == 1
    assert "couldn't delete config: the hypervisor says no" in capsys.readouterr().out
