# SPDX-License-Identifier: Apache-2.0
"""Filesystems on devices that no earlier step changes: decided before any write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import Refused
from ignition.host.command import Command, Ran
from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Raid, Storage
from ignition.stages import STAGES
from ignition.stages.disks.preflight.device_conflicts import places
from ignition.stages.disks.preflight.untouched_filesystems import observe
from tests.host.fakes import FakeHost
from tests.lab.performing import performed
from tests.lab.sysfs import Sysfs

DISKS = next(stage for stage in STAGES if stage.name == "disks")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    sysfs = Sysfs(Path(host.system))
    for name in ("vdb", "vdc", "vdd"):
        sysfs.disk(name, 8 << 20)
        for number in (1, 2):
            sysfs.partition(name, number, 2048 * number, 2048)
    links = {"by-id/virtio-c": "vdc", "by-label/DATA": "vdc1", "by-partlabel/new": "vdb1"}
    for link, node in links.items():
        sysfs.link(f"/dev/disk/{link}", f"/dev/{node}")
        host.devices.links[f"/dev/disk/{link}"] = f"/dev/{node}"
    (sysfs.system / "proc/mdstat").write_text("Personalities : [raid1] \n")
    host.run.answer("wipefs", _listed, having="--json")
    host.run.answer("blkid", stdout="ID_FS_TYPE=xfs\n")
    return host


def _listed(command: Command) -> Ran:
    """A host with xfs on one partition and empty devices otherwise."""
    found = {"device": "vdc1", "type": "xfs", "usage": "filesystem", "uuid": None, "label": None}
    return Ran(0, json.dumps({"signatures": [found] if "/dev/vdc1" in command.argv else []}))


def fs(device: str, **more: Any) -> tuple[Filesystem, ...]:
    return (Filesystem(device=device, format="ext4", **more),)


def untouched_indices(host: FakeHost, **sections: Any) -> list[int]:
    config = Config(storage=Storage(**sections))
    return list(observe(config, places(config, host), host, State()))


B = (Disk(device="/dev/vdb", wipe_table=True, partitions=(Partition(number=1, label="new"),)),)


def test_mismatch_on_untouched_device_is_refused_before_any_write(host: FakeHost) -> None:
    config = Config(storage=Storage(disks=B, filesystems=fs("/dev/disk/by-label/DATA")))
    with pytest.raises(Refused) as caught:
        performed(DISKS, config, host, State())
    assert str(caught.value) == (
        "$.storage.filesystems.0.wipeFilesystem: existing filesystem on /dev/disk/by-label/DATA does not "
        "match the config: found xfs, want ext4"
    )
    assert [argv[:2] for argv in host.run.argvs] == [("wipefs", "--json"), ("blkid", "-p")]
    assert host.devices.zeroed == []


@pytest.mark.parametrize(
    ("sections", "indices"),
    [
        ({"disks": B, "filesystems": (*fs("/dev/vdb1"), *fs("/dev/vdc1"))}, [1]),
        ({"disks": B, "filesystems": fs("/dev/disk/by-id/virtio-c")}, [0]),
        ({"disks": B, "filesystems": fs("/dev/disk/by-label/DATA", label="DATA")}, [0]),
        ({"luks": (Luks(name="v", device="/dev/vdd1"),), "filesystems": fs("/dev/vdd2")}, [0]),
        # No earlier step writes.
        ({"filesystems": fs("/dev/vdc1")}, []),
        # An earlier step changes the device, or may change it.
        ({"disks": B, "filesystems": fs("/dev/disk/by-partlabel/new")}, []),
        (
            {"disks": B, "filesystems": (*fs("/dev/disk/by-label/DATA"), *fs("/dev/vdb1", label="DATA"))},
            [],
        ),
        (
            {
                "luks": (Luks(name="v", device="/dev/vdd1", label="data"),),
                "filesystems": fs("/dev/disk/by-label/DATA"),
            },
            [],
        ),
        (
            {
                "raid": (Raid(name="m", level="raid1", devices=("/dev/vdc", "/dev/vdd")),),
                "filesystems": fs("/dev/vdc1"),
            },
            [],
        ),
        # Missing devices.
        ({"disks": B, "filesystems": fs("/dev/disk/by-id/late")}, []),
        ({"disks": B, "filesystems": (Filesystem(device="/dev/vdc1"),)}, []),
    ],
)
def test_untouched_filesystems_table(host: FakeHost, sections: dict[str, Any], indices: list[int]) -> None:
    assert untouched_indices(host, **sections) == indices


def test_open_volumes_and_running_arrays_are_not_untouched(host: FakeHost) -> None:
    sysfs = Sysfs(Path(host.system))
    sysfs.disk("dm-0", 1 << 20, mapper_name="v")
    sysfs.disk("md127", 1 << 20)
    sysfs.link("/dev/mapper/v", "/dev/dm-0")
    sysfs.link("/dev/md/m", "/dev/md127")
    wanted = (*fs("/dev/mapper/v"), *fs("/dev/md/m"))
    volume, array = Luks(name="v", device="/dev/vdd1"), Raid(name="m", devices=("/dev/vdd2",))
    assert untouched_indices(host, luks=(volume,), raid=(array,), filesystems=wanted) == []
