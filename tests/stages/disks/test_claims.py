"""Two entries of a config that want the same device are refused, if one of them is an array or a volume."""

from __future__ import annotations

from typing import Any

import pytest

from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Raid, Storage
from ignition.stages.disks.claims import refusals


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
            "/dev/a is to be a member of the array m, and a disk with partitions ($.storage.disks.0)",
        ),
        (
            {"raid": (ARRAY, Raid(name="x", devices=("/dev/c", "/dev/b")))},
            ("raid", 1, "devices", 1),
            (
                "/dev/b is to be a member of the array x, and a member of the array m "
                "($.storage.raid.0.devices.1)"
            ),
        ),
        (
            {"raid": (ARRAY,), "luks": (VOLUME,)},
            ("luks", 0, "device"),
            (
                "/dev/a is to be the encrypted volume v, and a member of the array m "
                "($.storage.raid.0.devices.0)"
            ),
        ),
        (
            {"luks": (VOLUME, Luks(name="w", device="/dev//a"))},
            ("luks", 1, "device"),
            "/dev//a is to be the encrypted volume w, and the encrypted volume v ($.storage.luks.0.device)",
        ),
        (
            {"luks": (VOLUME,), "filesystems": (Filesystem(device="/dev/a", format="ext4"),)},
            ("filesystems", 0, "device"),
            "/dev/a is to be a filesystem, and the encrypted volume v ($.storage.luks.0.device)",
        ),
        (
            {"raid": (ARRAY,), "filesystems": (Filesystem(device="/dev/b", format="none"),)},
            ("filesystems", 0, "device"),
            "/dev/b is to be a filesystem, and a member of the array m ($.storage.raid.0.devices.1)",
        ),
    ],
)
def test_what_is_refused(sections: dict[str, Any], path: tuple[str | int, ...], reason: str) -> None:
    assert [(each.path, each.reason) for each in refusals(config(**sections))] == [
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
        # The config's own check warns of this, and the reference does it.
        {"disks": (PARTITIONED,), "filesystems": (Filesystem(device="/dev/a", format="ext4"),)},
    ],
)
def test_what_is_not(sections: dict[str, Any]) -> None:
    assert list(refusals(config(**sections))) == []
