"""What the engine cannot do is refused before any step of the stage has written anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import Refused
from ignition.schemas.config import Config
from ignition.schemas.luks import Clevis
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Raid, Storage
from ignition.stages import STAGES, perform
from ignition.stages.disks import STEPS
from ignition.stages.disks.supported import Supported
from ignition.state import State
from tests.host.fakes import FakeHost
from tests.lab.sysfs import Sysfs

DISKS = next(stage for stage in STAGES if stage.name == "disks")


def test_it_is_the_first_step() -> None:
    assert isinstance(STEPS[0], Supported)


def test_a_config_that_can_be_done_does_not_need_it() -> None:
    assert not Supported().wanted(Config(storage=Storage(disks=(Disk(device="/dev/vdb"),))))


def test_everything_is_refused_at_once_and_nothing_is_touched(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    Sysfs(Path(host.system)).disk("vdb", 8 << 20)
    config = Config(
        storage=Storage(
            disks=(Disk(device="/dev/vdb", wipe_table=True, partitions=(Partition(number=1),)),),
            raid=(Raid(name="a", devices=("/dev/md/a",)), Raid(name="b", devices=("/dev/vdb1",))),
            luks=(Luks(name="a", device="/dev/vdc", clevis=Clevis(tpm2=True)),),
            filesystems=(Filesystem(device="/dev/vdb1", format="zfs"),),
        )
    )
    with pytest.raises(Refused) as caught:
        perform(DISKS, config, host, State())
    assert str(caught.value).splitlines() == [
        '$.storage.filesystems.0.format: the format "zfs" is not supported',
        "$.storage.raid.0.devices: the array a cannot be made before itself: its members need it",
        "$.storage.luks.0.clevis: Clevis is not supported yet",
        (
            "$.storage.filesystems.0.device: /dev/vdb1 is to be a filesystem, and a member of the array b "
            "($.storage.raid.1.devices.0)"
        ),
    ]
    assert (host.run.argvs, host.devices.waited, host.devices.zeroed) == ([], [], [])
