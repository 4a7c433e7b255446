"""Steps that are imported for those configs only that want them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ignition.schemas.config import Config
from ignition.schemas.storage import Luks, Raid, Storage
from ignition.stages.disks import STEPS
from ignition.stages.disks.luks.step import Volumes
from ignition.stages.disks.raid.step import Arrays
from ignition.stages.lazy import Later


@pytest.mark.parametrize(
    ("storage", "wanted"),
    [
        ({}, []),
        ({"raid": (Raid(name="a", devices=("/dev/x",)),)}, [Arrays]),
        ({"raid": (Raid(name="a", devices=("/dev/md/b",)), Raid(name="b"))}, [Arrays, Arrays]),
        ({"luks": (Luks(name="v"),)}, [Volumes]),
    ],
)
def test_the_step_is_wanted_when_there_is_work(storage: dict[str, Any], wanted: list[type]) -> None:
    config = Config(storage=Storage(**storage))
    found = [step.step for step in STEPS if isinstance(step, Later) and step.wanted(config)]
    assert [type(step) for step in found] == wanted


def test_what_the_step_can_do_besides_can_be_reached() -> None:
    class Telling(Volumes):
        def more(self) -> str:
            return "told"

    assert Later("x", lambda config: True, Telling).more() == "told"
    assert not hasattr(Later("x", lambda config: True, Volumes), "nonsense")


@pytest.mark.real_commands
def test_without_work_nothing_is_imported() -> None:
    script = (
        "import sys; from ignition.stages import STAGES; from ignition.schemas.config import Config;"
        "[step.wanted(Config()) for stage in STAGES for step in stage.steps()];"
        "ends = ('raid.step', 'luks.step', 'crypttab');"
        "print(*sorted(name for name in sys.modules if name.endswith(ends)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
