"""Kernel arguments: one call of the helper, and a clear word when there is none."""

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
    """This is the running kernel's command line."""
    file = Path(host.system, "proc/cmdline")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{line}\n")


def test_the_helper_is_called_once(host: FakeHost, programs: Programs) -> None:
    programs.add("ignition-kargs-helper")
    performed(STAGE, CONFIG, host, State())
    assert programs.argvs == [
        (
            "ignition-kargs-helper",
            *("--should-exist", "a=b c", "--should-exist", "nosmt", "--should-not-exist", "quiet"),
        )
    ]


def test_a_distribution_without_a_helper(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ActionFailed, match="cannot set kernel arguments") as caught:
        performed(STAGE, CONFIG, host, State())
    assert caught.value.path == ("kernelArguments",)
    assert "leave kernelArguments out" in caught.value.hint


def test_a_helper_that_always_fails(host: FakeHost, programs: Programs) -> None:
    programs.add("ignition-kargs-helper", status=1, stderr="not here")
    with pytest.raises(ActionFailed, match=r"cannot set kernel arguments.*not here"):
        performed(STAGE, CONFIG, host, State())


@pytest.mark.parametrize(
    ("line", "warns"),
    [("ro a=b c nosmt", False), ("a=b c nosmt quiet", True), ("a=b x c nosmt", True), ("a=b c", True)],
)
def test_a_kernel_that_was_started_otherwise_though_the_helper_is_content(
    host: FakeHost, programs: Programs, caplog: pytest.LogCaptureFixture, line: str, warns: bool
) -> None:
    programs.add("ignition-kargs-helper")
    started_with(host, line)
    performed(STAGE, CONFIG, host, State())
    warnings = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert ["was not started with the arguments" in text for text in warnings] == [True] * warns


def test_without_arguments_there_is_nothing_to_do() -> None:
    assert not KernelArguments().wanted(config_of())
    assert not STAGE.wanted(config_of())
    assert KernelArguments().wanted(CONFIG)
    assert STAGE.wanted(CONFIG)
