# SPDX-License-Identifier: Apache-2.0
"""Refusals where two entries of a config claim one device, by any of its paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Raid, Storage
from ignition.stages.disks.preflight.device_conflicts import places, refusals
from tests.host.fakes import FakeHost
from tests.lab.sysfs import Sysfs


def config(**sections: Any) -> Config:
    return Config(storage=Storage(**sections))


ARRAY = Raid(name="m", devices=("/dev/a", "/dev/b"))
VOLUME = Luks(name="v", device="/dev/a")
PARTITIONED = Disk(device="/dev/a", partitions=(Partition(number=1),))


@pytest.mark.parametrize(
    ("sections", "path", "reason"),
    [
        (
            {"disks": (PARTITIONED,), "raid": (ARRAY,)},
            ("raid", 0, "devices", 0),
            (
                '/dev/a is claimed twice: as a member of RAID array "m" and as a disk with partitions '
                "($.storage.disks.0)"
            ),
        ),
        (
            {"raid": (ARRAY, Raid(name="x", devices=("/dev/c", "/dev/b")))},
            ("raid", 1, "devices", 1),
            (
                '/dev/b is claimed twice: as a member of RAID array "x" and as a member of RAID array "m" '
                "($.storage.raid.0.devices.1)"
            ),
        ),
        (
            {"raid": (ARRAY,), "luks": (VOLUME,)},
            ("luks", 0, "device"),
            (
                '/dev/a is claimed twice: as the device of LUKS volume "v" and as a member of RAID array "m" '
                "($.storage.raid.0.devices.0)"
            ),
        ),
        (
            {"luks": (VOLUME, Luks(name="w", device="/dev//a"))},
            ("luks", 1, "device"),
            "/dev//a is the same device as /dev/a ($.storage.luks.0.device)",
        ),
        (
            {"luks": (VOLUME,), "filesystems": (Filesystem(device="/dev/a", format="ext4"),)},
            ("filesystems", 0, "device"),
            (
                '/dev/a is claimed twice: as the device of a filesystem and as the device of LUKS volume "v" '
                "($.storage.luks.0.device)"
            ),
        ),
        (
            {"raid": (ARRAY,), "filesystems": (Filesystem(device="/dev/b", format="none"),)},
            ("filesystems", 0, "device"),
            (
                '/dev/b is claimed twice: as the device of a filesystem and as a member of RAID array "m" '
                "($.storage.raid.0.devices.1)"
            ),
        ),
    ],
)
def test_conflicting_claims_are_refused(
    sections: dict[str, Any], path: tuple[str | int, ...], reason: str
) -> None:
    assert [(each.path, each.reason) for each in refusals(config(**sections), {})] == [
        (("storage", *path), reason)
    ]


GONE = Disk(device="/dev/a", wipe_table=True, partitions=(Partition(number=1, should_exist=False),))


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"disks": (GONE,), "raid": (ARRAY,)},
        {"raid": (ARRAY,), "filesystems": (Filesystem(device="/dev/md/m", format="ext4"),)},
        {"luks": (VOLUME,), "filesystems": (Filesystem(device="/dev/mapper/v", format="ext4"),)},
        {"luks": (VOLUME,), "filesystems": (Filesystem(device="/dev/a"),)},
        # Validation warns of this, and the reference accepts it.
        {"disks": (PARTITIONED,), "filesystems": (Filesystem(device="/dev/a", format="ext4"),)},
    ],
)
def test_compatible_claims_are_accepted(sections: dict[str, Any]) -> None:
    assert list(refusals(config(**sections), {})) == []


# Conflicts that are visible only when device paths are resolved.


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    sysfs = Sysfs(Path(host.system))
    for name in ("vda", "vdb", "vdc"):
        sysfs.disk(name, 1 << 20)
        for number in (1, 2):
            sysfs.partition(name, number, 64 * number, 64)
    sysfs.link("/dev/disk/by-id/virtio-b", "/dev/vdb")
    sysfs.link("/dev/disk/by-path/pci-b", "/dev/vdb")
    sysfs.link("/dev/disk/by-id/virtio-b-part1", "/dev/vdb1")
    sysfs.link("/dev/disk/by-partlabel/one", "/dev/vdb1")
    sysfs.link("/dev/disk/by-label/DATA", "/dev/vdc1")
    return host


def refused(host: FakeHost, **sections: Any) -> list[str]:
    wanted = config(**sections)
    return [str(each) for each in refusals(wanted, places(wanted, host))]


B = Disk(device="/dev/disk/by-id/virtio-b", partitions=(Partition(number=1, label="one"),))
SAME = " (the same device as /dev/disk/by-id/virtio-b) is claimed twice: as"
DISK = "as a disk with partitions ($.storage.disks.0)"


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        (
            {"disks": (B,), "raid": (Raid(name="m", devices=("/dev/vdb", "/dev/vdc")),)},
            f'$.storage.raid.0.devices.0: /dev/vdb{SAME} a member of RAID array "m" and {DISK}',
        ),
        (
            {"disks": (B,), "luks": (Luks(name="v", device="/dev/disk/by-path/pci-b"),)},
            (
                f'$.storage.luks.0.device: /dev/disk/by-path/pci-b{SAME} the device of LUKS volume "v" '
                f"and {DISK}"
            ),
        ),
        (
            {"disks": (B, B.evolve(device="/dev/vdb"))},
            "$.storage.disks.1: /dev/vdb is the same device as /dev/disk/by-id/virtio-b ($.storage.disks.0)",
        ),
        # Validation warns of this only if both entries use the same path.
        (
            {"disks": (B,), "filesystems": (Filesystem(device="/dev/vdb", format="ext4"),)},
            f"$.storage.filesystems.0.device: /dev/vdb{SAME} the device of a filesystem and {DISK}",
        ),
        (
            {
                "raid": (Raid(name="m", devices=("/dev/vdb1", "/dev/vdc")),),
                "luks": (Luks(name="v", device="/dev/disk/by-partlabel/one"),),
            },
            (
                "$.storage.luks.0.device: /dev/disk/by-partlabel/one (the same device as /dev/vdb1) is "
                'claimed twice: as the device of LUKS volume "v" and as a member of RAID array "m" '
                "($.storage.raid.0.devices.0)"
            ),
        ),
        (
            {
                "luks": (Luks(name="v", device="/dev/vdc1"),),
                "filesystems": (Filesystem(device="/dev/disk/by-label/DATA", format="xfs"),),
            },
            (
                "$.storage.filesystems.0.device: /dev/disk/by-label/DATA (the same device as /dev/vdc1) is "
                'claimed twice: as the device of a filesystem and as the device of LUKS volume "v" '
                "($.storage.luks.0.device)"
            ),
        ),
        (
            {
                "filesystems": (
                    Filesystem(device="/dev/vdb1", format="xfs"),
                    Filesystem(device="/dev/disk/by-id/virtio-b-part1", format="ext4"),
                )
            },
            (
                "$.storage.filesystems.1.device: /dev/disk/by-id/virtio-b-part1 is the same device as "
                "/dev/vdb1 ($.storage.filesystems.0.device)"
            ),
        ),
        (
            {
                "raid": (
                    Raid(name="m", devices=("/dev/vdb1",)),
                    Raid(name="n", devices=("/dev/disk/by-id/virtio-b-part1",)),
                )
            },
            (
                "$.storage.raid.1.devices.0: /dev/disk/by-id/virtio-b-part1 is the same device as /dev/vdb1 "
                "($.storage.raid.0.devices.0)"
            ),
        ),
        # A partition of a disk that another entry claims as a whole.
        (
            {
                "raid": (Raid(name="m", devices=("/dev/vdb", "/dev/vdc")),),
                "filesystems": (Filesystem(device="/dev/disk/by-label/DATA", format="xfs"),),
            },
            (
                "$.storage.filesystems.0.device: /dev/disk/by-label/DATA is claimed as the device of a "
                'filesystem, and is a part of /dev/vdc, claimed as a member of RAID array "m" '
                "($.storage.raid.0.devices.1)"
            ),
        ),
        (
            {
                "filesystems": (
                    Filesystem(device="/dev/disk/by-id/virtio-b-part1", format="xfs"),
                    Filesystem(device="/dev/vdb", format="ext4"),
                )
            },
            (
                "$.storage.filesystems.0.device: /dev/disk/by-id/virtio-b-part1 is claimed as the device of "
                "a filesystem, and is a part of /dev/vdb, claimed as the device of a filesystem "
                "($.storage.filesystems.1.device)"
            ),
        ),
    ],
)
def test_other_paths_of_one_device_are_refused(host: FakeHost, sections: dict[str, Any], reason: str) -> None:
    assert refused(host, **sections) == [reason]
    assert host.devices.waited == []


@pytest.mark.parametrize(
    "sections",
    [
        # Stacked devices.
        {
            "disks": (B,),
            "raid": (Raid(name="m", devices=("/dev/disk/by-partlabel/one", "/dev/vdc1")),),
            "luks": (Luks(name="v", device="/dev/md/m"),),
            "filesystems": (Filesystem(device="/dev/mapper/v", format="ext4"),),
        },
        # In the new table, another partition has the label.
        {
            "disks": (B.evolve(wipe_table=True),),
            "raid": (Raid(name="m", devices=("/dev/vdb1", "/dev/vdc")),),
            "luks": (Luks(name="v", device="/dev/disk/by-partlabel/one"),),
        },
        # The device of a filesystem that is kept is not claimed.
        {
            "luks": (Luks(name="v", device="/dev/vdc1"),),
            "filesystems": (Filesystem(device="/dev/disk/by-label/DATA"),),
        },
        # A disk whose table is wiped may be claimed as a whole.
        {
            "disks": (B.evolve(wipe_table=True, partitions=()),),
            "filesystems": (Filesystem(device="/dev/vdb", format="ext4"),),
        },
    ],
)
def test_distinct_devices_are_accepted(host: FakeHost, sections: dict[str, Any]) -> None:
    assert refused(host, **sections) == []
