"""What a preview tells of arrays."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import Refusal
from ignition.preview.effects import Does
from ignition.preview.host import MissingDevice, PreviewHost, preview_host
from ignition.preview.raid import effects, foresee
from ignition.preview.tree import Unseen
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid, Storage
from ignition.stages import Plan
from ignition.stages.actions import Parallel
from ignition.stages.disks.raid.step import MakeArray
from tests.host.fakes import FakeFetch, FakeRun

NEW = Raid(name="new", level="raid1", devices=("/dev/a", "/dev/b"))
OVER = Raid(name="over", level="raid0", devices=("/dev/c", "/dev/d"))
THERE = Raid(name="there", level="raid1", devices=("/dev/e", "/dev/f"))
PLAN = Plan(
    actions=(
        Parallel(
            (),
            "arrays",
            (
                MakeArray(("storage", "raid", 0), NEW),
                MakeArray(("storage", "raid", 1), OVER, replaces=("ext4 on /dev/c",)),
                MakeArray(("storage", "raid", 2), THERE, is_there=True),
            ),
        ),
    ),
    keeps=("/dev/md/kept is the array of the config, it is kept",),
)


@pytest.fixture
def host(tmp_path: Path) -> PreviewHost:
    return preview_host(str(tmp_path), FakeRun(), FakeFetch(), str(tmp_path))


def test_each_array() -> None:
    assert [(each.does, each.what, each.detail, each.lost) for each in effects(PLAN)] == [
        (Does.KEEP, "/dev/md/kept is the array of the config, it is kept", "", ()),
        (Does.CREATE, "array new", "raid1, of /dev/a, /dev/b", ()),
        (Does.DESTROY, "array over", "raid0, of /dev/c, /dev/d", ("ext4 on /dev/c",)),
        (Does.KEEP, "array there", "of /dev/e, /dev/f; it is started", ()),
    ]


def test_what_is_on_one_that_does_not_run_is_unknown(host: PreviewHost) -> None:
    foresee(Config(), PLAN, host)
    with pytest.raises(Unseen, match="/dev/md/there does not run, so what is on it cannot be seen"):
        host.devices.wait({"/dev/md/there": ()})
    with pytest.raises(MissingDevice):
        host.devices.wait({"/dev/md/other": ()})


def test_what_becomes_of_refused_ones_is_unknown(host: PreviewHost) -> None:
    config = Config(storage=Storage(raid=(NEW, OVER)))
    foresee(config, Plan(refusals=(Refusal(("storage", "raid", 0), "no"),)), host)
    with pytest.raises(Unseen, match=r"depends on what becomes of \$\.storage\.raid\.1"):
        host.devices.wait({"/dev/md/over": ()})
