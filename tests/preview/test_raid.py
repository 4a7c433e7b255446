# SPDX-License-Identifier: Apache-2.0
"""Previews of RAID arrays."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import Refusal
from ignition.preview.devices import MissingDevice
from ignition.preview.effects import Does
from ignition.preview.host import PreviewHost, preview_host
from ignition.preview.raid import Arrays
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
    keeps=("/dev/md/kept",),
)


@pytest.fixture
def host(tmp_path: Path) -> PreviewHost:
    return preview_host(str(tmp_path), FakeRun(), FakeFetch(), str(tmp_path))


def test_effects_of_each_array(host: PreviewHost) -> None:
    effects = Arrays().effects(Config(), (), PLAN, host)
    assert [(each.does, each.what, each.detail, each.lost) for each in effects] == [
        (Does.KEEP, "/dev/md/kept", "", ()),
        (Does.CREATE, "RAID array new", "raid1, of /dev/a, /dev/b", ()),
        (Does.DESTROY, "RAID array over", "raid0, of /dev/c, /dev/d", ("ext4 on /dev/c",)),
        (Does.KEEP, "RAID array there", "of /dev/e, /dev/f; it is started", ()),
    ]


def test_contents_of_stopped_array_are_unknown(host: PreviewHost) -> None:
    Arrays().predict(Config(), (), PLAN, host)
    with pytest.raises(Unseen, match="/dev/md/there is not running"):
        host.devices.wait({"/dev/md/there": ()})
    with pytest.raises(MissingDevice):
        host.devices.wait({"/dev/md/other": ()})


def test_refused_array_makes_device_uncertain(host: PreviewHost) -> None:
    config = Config(storage=Storage(raid=(NEW, OVER)))
    Arrays().predict(config, (), Plan(refusals=(Refusal(("storage", "raid", 0), "no"),)), host)
    with pytest.raises(Unseen, match=r"depends on \$\.storage\.raid\.1"):
        host.devices.wait({"/dev/md/over": ()})
