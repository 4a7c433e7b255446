"""Kernel arguments: one call of the helper, and a clear word when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import ActionFailed
from ignition.host.run import run
from ignition.stages import STAGES, perform
from ignition.stages.kargs import KernelArguments
from ignition.state import State
from tests.host.fakes import FakeHost
from tests.lab.programs import Programs
from tests.stages.files.lab import config_of

(STAGE,) = (stage for stage in STAGES if stage.name == "kargs")
CONFIG = config_of(kernelArguments={"shouldNotExist": ["quiet"], "shouldExist": ["a=b c", "nosmt"]})


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    object.__setattr__(host, "run", run)
    return host


def test_the_helper_is_called_once(host: FakeHost, programs: Programs) -> None:
    programs.add("ignition-kargs-helper")
    perform(STAGE, CONFIG, host, State())
    assert programs.argvs == [
        (
            "ignition-kargs-helper",
            *("--should-exist", "a=b c", "--should-exist", "nosmt", "--should-not-exist", "quiet"),
        )
    ]


def test_a_distribution_without_a_helper(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ActionFailed, match="cannot be set on this distribution") as caught:
        perform(STAGE, CONFIG, host, State())
    assert caught.value.path == ("kernelArguments",)
    assert "leave kernelArguments out" in caught.value.hint


def test_a_helper_that_always_fails(host: FakeHost, programs: Programs) -> None:
    programs.add("ignition-kargs-helper", status=1, stderr="not here")
    with pytest.raises(ActionFailed, match=r"cannot be set on this distribution.*not here"):
        perform(STAGE, CONFIG, host, State())


def test_without_arguments_there_is_nothing_to_do() -> None:
    assert not KernelArguments().wanted(config_of())
    assert not STAGE.wanted(config_of())
    assert KernelArguments().wanted(CONFIG)
    assert STAGE.wanted(CONFIG)
