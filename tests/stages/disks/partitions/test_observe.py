# SPDX-License-Identifier: Apache-2.0
"""Observation of disks: partition tables, unusable tables, and use by mounts and holders."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host.device_use import DevicesInUse, DeviceUse, UseKind
from ignition.stages.disks.partitions.observe import DiskFacts, look
from tests.host.fakes import FakeHost
from tests.lab import gptimage
from tests.lab.sysfs import Sysfs

SIZE = 8 << 20
PART = gptimage.Part(1, 2048, 2048, "one")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    return Sysfs(Path(host.system))


def see(host: FakeHost) -> DiskFacts:
    return look(host, "/dev/vdb", DevicesInUse.read(host.system))


def overwrite(node: Path, offset: int, data: bytes) -> None:
    with node.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_blank_disk_runs_no_program(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    found = see(host)
    assert (found.is_blank, found.has_table, found.unusable) == (True, False, "")
    assert (found.disk.sector_size, found.disk.sectors, found.table.last_usable) == (512, SIZE // 512, 16350)
    assert host.run.argvs == []


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_valid_table_runs_no_program(host: FakeHost, sysfs: Sysfs, sector_size: int) -> None:
    gptimage.write(
        sysfs.disk("vdb", SIZE, sector_size=sector_size),
        SIZE,
        [gptimage.Part(1, 256, 9)],
        sector_size=sector_size,
    )
    found = see(host)
    assert (found.is_blank, found.has_table) == (False, True)
    assert [entry.size for entry in found.table.entries] == [9]
    assert host.run.argvs == []


def test_damaged_table_is_read_from_backup_like_libblkid(host: FakeHost, sysfs: Sysfs) -> None:
    node = gptimage.write(sysfs.disk("vdb", SIZE), SIZE, [PART])
    overwrite(node, 512 + 40, b"XX")
    host.run.answer("blkid", stdout="ID_PART_TABLE_TYPE=gpt\n")
    found = see(host)
    assert found.has_table
    assert [entry.label for entry in found.table.entries] == ["one"]
    assert host.run.argvs == [("blkid", "-p", "-o", "udev", "/run/ignition/dev_aliases/dev/vdb")]


@pytest.mark.parametrize(
    ("kind", "unusable"),
    [
        ("dos", "an MBR partition table"),
        ("PMBR", "a GPT with both copies damaged"),
        ("sun", "a partition table of type sun"),
    ],
)
def test_other_table_types_are_unusable(host: FakeHost, sysfs: Sysfs, kind: str, unusable: str) -> None:
    overwrite(sysfs.disk("vdb", SIZE), 0, gptimage.boot_sector((0x83, 2048, 2048)))
    host.run.answer("blkid", stdout=f"ID_PART_TABLE_TYPE={kind}\n")
    found = see(host)
    assert (found.has_table, found.unusable) == (False, unusable)


def test_backup_only_table_is_not_treated_as_absent(host: FakeHost, sysfs: Sysfs) -> None:
    """As after `dd` over the first MiB; sgdisk, and therefore the reference, fails on it."""
    node = gptimage.write(sysfs.disk("vdb", SIZE), SIZE, [PART])
    overwrite(node, 0, bytes(1 << 20))
    host.run.answer("blkid", status=2)
    assert see(host).unusable == "the remains of a damaged GPT"


def test_disk_with_filesystem_has_no_table(host: FakeHost, sysfs: Sysfs) -> None:
    overwrite(sysfs.disk("vdb", SIZE), 1080, b"\x53\xef")
    host.run.answer("blkid", stdout="ID_FS_TYPE=ext4\n")
    found = see(host)
    assert (found.is_blank, found.has_table, found.unusable) == (False, False, "")


def test_partitions_in_use_are_found(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    one, two, three, _ = (sysfs.partition("vdb", number, 2048 * number, 2048) for number in (1, 2, 3, 4))
    sysfs.mount("/sysroot", one, "ext4")
    sysfs.hold(two, "dm-0")
    sysfs.swap(three)
    found = see(host)
    assert {number: use.describe() for number, use in found.busy.items()} == {
        1: "mounted at /sysroot",
        2: "held by /dev/dm-0",
        3: "active swap",
    }
    assert found.in_use is None


def test_disk_mounted_by_other_name_is_in_use(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    sysfs.link("/dev/disk/by-label/data", "/dev/vdb")
    sysfs.mount("/mnt", "/dev/disk/by-label/data", "xfs")
    assert see(host).in_use == DeviceUse(UseKind.MOUNTED, "/mnt")


def test_mount_of_vanished_device_is_ignored(host: FakeHost, sysfs: Sysfs) -> None:
    """A mount outlives its device, for example after a USB disk was removed."""
    sysfs.disk("vdb", SIZE)
    sysfs.mount("/old", "/dev/disk/by-uuid/gone", "ext4")
    assert see(host).in_use is None


def test_device_mapper_partitions_are_no_holders(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", SIZE, mapper_name="mpatha")
    sysfs.disk("dm-1", SIZE // 2, mapper_name="mpathap1")
    sysfs.hold("/dev/dm-0", "dm-1")
    sysfs.link("/dev/disk/by-id/dm-name-mpathap1", "/dev/dm-1")
    sysfs.mount("/mnt", "/dev/dm-1", "ext4")
    host.devices.links["/dev/mapper/mpatha"] = "/dev/dm-0"
    found = look(host, "/dev/mapper/mpatha", DevicesInUse.read(host.system))
    assert (found.in_use, found.busy) == (None, {1: DeviceUse(UseKind.MOUNTED, "/mnt")})


def test_device_that_is_no_disk_is_an_error(host: FakeHost, sysfs: Sysfs) -> None:
    with pytest.raises(IgnitionError, match="/dev/vdb is not a block device"):
        see(host)
