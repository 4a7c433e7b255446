# SPDX-License-Identifier: Apache-2.0
"""The kargs stage: one call of the helper, and its failures."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.host.run import run
from ignition.stages import STAGES
from ignition.stages.kargs import KernelArguments
from tests.host.fakes import FakeHost
from tests.lab.performing import performed
from tests.lab.programs import Programs
from tests.stages.files.lab import config_of

(STAGE,) = (stage for stage in STAGES if stage.name == "kargs")
CONFIG = config_of(kernelArguments={"shouldNotExist": ["quiet"], "shouldExist": ["a=b c", "nosmt"]})


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    object.__setattr__(host, "run", run)
    started_with(host, "ro a=b c nosmt")
    return host


def started_with(host: FakeHost, line: str) -> None:
    """Set the command line of the running kernel."""
    file = Path(host.system, "proc/cmdline")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{line}\n")


def test_helper_is_called_once_with_all_arguments(host: FakeHost, programs: Programs) -> None:
    programs.add("ignition-kargs-helper")
    performed(STAGE, CONFIG, host, State())
    assert programs.argvs == [
        (
            "ignition-kargs-helper",
            *("--should-exist", "a=b c", "--should-exist", "nosmt", "--should-not-exist", "quiet"),
        )
    ]


def test_missing_helper_is_an_error_with_hint(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ActionFailed, match="cannot set kernel arguments") as caught:
        performed(STAGE, CONFIG, host, State())
    assert caught.value.path == ("kernelArguments",)
    assert "remove kernelArguments from the config" in caught.value.hint


def test_failing_helper_is_an_error(host: FakeHost, programs: Programs) -> None:
    programs.add("ignition-kargs-helper", status=1, stderr="not here")
    with pytest.raises(ActionFailed, match=r"cannot set kernel arguments.*not here"):
        performed(STAGE, CONFIG, host, State())


@pytest.mark.parametrize(
    ("line", "warns"),
    [("ro a=b c nosmt", False), ("a=b c nosmt quiet", True), ("a=b x c nosmt", True), ("a=b c", True)],
)
def test_running_kernel_without_the_arguments_warns(
    host: FakeHost, programs: Programs, caplog: pytest.LogCaptureFixture, line: str, warns: bool
) -> None:
    programs.add("ignition-kargs-helper")
    started_with(host, line)
    performed(STAGE, CONFIG, host, State())
    warnings = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert ["the running kernel lacks the kernel arguments" in text for text in warnings] == [True] * warns


def test_config_without_arguments_needs_no_stage() -> None:
    assert not KernelArguments().wanted(config_of())
    assert not STAGE.wanted(config_of())
    assert KernelArguments().wanted(CONFIG)
    assert STAGE.wanted(CONFIG)
