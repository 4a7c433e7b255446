# SPDX-License-Identifier: Apache-2.0
"""Steps whose modules are imported only for configs with work for them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ignition.schemas.config import Config
from ignition.schemas.storage import Luks, Raid, Storage
from ignition.stages import STAGES, LazyStep
from ignition.stages.disks import STEPS
from ignition.stages.disks.luks.step import Volumes
from ignition.stages.disks.raid.step import Arrays


@pytest.mark.parametrize(
    ("storage", "wanted"),
    [
        ({}, []),
        ({"raid": (Raid(name="a", devices=("/dev/x",)),)}, [Arrays]),
        ({"raid": (Raid(name="a", devices=("/dev/md/b",)), Raid(name="b"))}, [Arrays, Arrays]),
        ({"luks": (Luks(name="v"),)}, [Volumes]),
    ],
)
def test_lazy_step_is_wanted_when_config_has_work(storage: dict[str, Any], wanted: list[type]) -> None:
    config = Config(storage=Storage(**storage))
    found = [step.step for step in STEPS if isinstance(step, LazyStep) and step.wanted(config)]
    assert [type(step) for step in found] == wanted


LAZY = [step for stage in STAGES for step in stage.steps() if isinstance(step, LazyStep)]


@pytest.mark.parametrize("lazy", LAZY, ids=lambda step: step.place)
def test_lazy_step_has_name_of_its_step(lazy: LazyStep) -> None:
    assert lazy.step.name == lazy.name


@pytest.mark.real_commands
def test_lazy_step_without_work_imports_nothing() -> None:
    script = (
        "import sys; from ignition.stages import STAGES; from ignition.schemas.config import Config;"
        "[step.wanted(Config()) for stage in STAGES for step in stage.steps()];"
        "ends = ('raid.step', 'luks.step', 'crypttab');"
        "print(*sorted(name for name in sys.modules if name.endswith(ends)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
