# SPDX-License-Identifier: Apache-2.0
"""Block device attributes from sysfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host import blocks
from ignition.host.blocks import Disk, KernelPartition
from tests.lab.sysfs import Sysfs


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


def test_disk_size_is_in_logical_sectors(sysfs: Sysfs) -> None:
    sysfs.disk("vdb", 1 << 20)
    sysfs.disk("nvme0n1", 1 << 20, sector_size=4096)
    sysfs.disk("dm-0", 1 << 20, mapper_name="mpatha")
    system = str(sysfs.system)
    assert blocks.disk(system, "/dev/vdb") == Disk("/dev/vdb", 512, 2048)
    assert blocks.disk(system, "/dev/nvme0n1") == Disk("/dev/nvme0n1", 4096, 256)
    assert blocks.disk(system, "/dev/dm-0") == Disk("/dev/dm-0", 512, 2048, "mpatha")


def test_disk_with_odd_sector_size_is_an_error(sysfs: Sysfs) -> None:
    sysfs.disk("vdb", 1 << 20, sector_size=520)
    with pytest.raises(IgnitionError, match="unsupported sector size of /dev/vdb: 520 bytes"):
        blocks.disk(str(sysfs.system), "/dev/vdb")


def test_disk_of_a_partition_is_an_error_that_names_the_disk(sysfs: Sysfs) -> None:
    sysfs.disk("vdb", 1 << 20)
    sysfs.partition("vdb", 1, 64, 8)
    with pytest.raises(IgnitionError, match="/dev/vdb1 is a partition, expected a disk") as caught:
        blocks.disk(str(sysfs.system), "/dev/vdb1")
    assert caught.value.hint == "use the disk /dev/vdb"


def test_partitions_are_listed_by_number(sysfs: Sysfs) -> None:
    sysfs.disk("vdb", 1 << 20)
    sysfs.disk("nvme0n1", 1 << 20)
    sysfs.partition("vdb", 12, 64, 8)
    sysfs.partition("nvme0n1", 3, 32, 4)
    system = str(sysfs.system)
    assert blocks.partitions(system, "/dev/vdb") == {12: KernelPartition("/dev/vdb12", 64, 8)}
    assert blocks.partitions(system, "/dev/nvme0n1") == {3: KernelPartition("/dev/nvme0n1p3", 32, 4)}
    assert blocks.whole_disk(system, "/dev/nvme0n1p3") == "/dev/nvme0n1"
    assert blocks.whole_disk(system, "/dev/vdb") == "/dev/vdb"


def test_partitions_of_device_mapper_disk_are_found_by_udev_links(sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 1 << 20, mapper_name="mpatha")
    sysfs.disk("dm-1", 4096, mapper_name="mpathap2")
    sysfs.disk("dm-2", 4096, mapper_name="mpathap")
    sysfs.link("/dev/disk/by-id/dm-name-mpatha", "/dev/dm-0")
    sysfs.link("/dev/disk/by-id/dm-name-mpathap2", "/dev/dm-1")
    sysfs.link("/dev/disk/by-id/dm-name-mpathap", "/dev/dm-2")
    assert blocks.partitions(str(sysfs.system), "/dev/dm-0") == {2: KernelPartition("/dev/dm-1", -1, 8)}


def test_holders_and_device_number_are_read(sysfs: Sysfs) -> None:
    sysfs.disk("vdb", 1 << 20, number="254:16")
    sysfs.hold("/dev/vdb", "md127")
    assert blocks.holders(str(sysfs.system), "/dev/vdb") == ["/dev/md127"]
    assert blocks.device_number(str(sysfs.system), "/dev/vdb") == "254:16"


def test_node_in_subdirectory_is_found(sysfs: Sysfs) -> None:
    """Sysfs replaces slashes in device names by `!`."""
    sysfs.disk("cciss!c0d0", 1 << 20)
    assert blocks.disk(str(sysfs.system), "/dev/cciss/c0d0").sectors == 2048


def test_disk_that_is_not_a_device_is_an_error_with_hint(sysfs: Sysfs) -> None:
    with pytest.raises(IgnitionError, match="/dev/nothing is not a block device") as caught:
        blocks.disk(str(sysfs.system), "/dev/nothing")
    assert "/dev/disk/by-id" in caught.value.hint


def test_read_returns_bytes_or_an_error(sysfs: Sysfs) -> None:
    node = sysfs.disk("vdb", 4096)
    node.write_bytes(b"0123456789")
    assert blocks.read(str(sysfs.system), "/dev/vdb", 2, 3) == b"234"
    with pytest.raises(IgnitionError, match="cannot read /dev/vdc: no such file"):
        blocks.read(str(sysfs.system), "/dev/vdc", 0, 1)


def test_inventory_lists_devices_with_model_serial_and_links(sysfs: Sysfs) -> None:
    sysfs.disk("sda", 3 << 30)
    sysfs.disk("loop0", 0)
    device = sysfs.system / "sys/class/block/sda/device"
    device.mkdir()
    (device / "model").write_text("ACME DISK       \n")
    (device / "serial").write_text("S3R1AL\n")
    sysfs.link("/dev/disk/by-id/ata-ACME", "/dev/sda")
    assert list(blocks.inventory(str(sysfs.system))) == [
        "/dev/sda 3GiB ACME DISK serial S3R1AL /dev/disk/by-id/ata-ACME"
    ]
