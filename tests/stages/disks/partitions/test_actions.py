# SPDX-License-Identifier: Apache-2.0
"""Write a partition table, update the kernel's partitions, and compare both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host.blocks import Disk
from ignition.host.command import Command, CommandFailed, Ran
from ignition.stages.disks.partitions import actions
from ignition.stages.disks.partitions.actions import ExpectPartitions, PartitionDisk
from ignition.stages.disks.partitions.layout import Extent
from tests.host.fakes import FakeHost
from tests.lab.sysfs import Sysfs

SIZE = 64 << 20
DISK = Disk("/dev/vdb", 512, SIZE // 512)
WRITE = Command(("sfdisk", "/dev/vdb"), "writing")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setattr(actions, "PATIENCE", 0.2)
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    made = Sysfs(Path(host.system))
    made.disk("vdb", SIZE)
    return made


def partition(
    touched: set[int],
    expected: Mapping[int, Extent],
    *,
    disk: Disk = DISK,
    zero: tuple[tuple[int, int], ...] = (),
) -> PartitionDisk:
    return PartitionDisk(("storage",), "/dev/vdb", disk, zero, (WRITE,), frozenset(touched), expected)


def test_partitioning_locks_disk_and_skips_partx_when_kernel_agrees(host: FakeHost, sysfs: Sysfs) -> None:
    def kernel_reads_the_table(command: Command) -> Ran:
        sysfs.partition("vdb", 1, 2048, 4096)
        return Ran(0)

    host.run.answer("sfdisk", kernel_reads_the_table)
    partition({1}, {1: Extent(2048, 4096)}).perform(host)
    assert host.run.argvs == [("sfdisk", "/dev/vdb")]
    assert host.devices.locks == [("/dev/vdb",)]


def test_missed_changes_are_passed_to_kernel(host: FakeHost, sysfs: Sysfs) -> None:
    for number in (1, 2, 3, 4):
        sysfs.partition("vdb", number, 2048 * number, 2048)
    wanted = {2: Extent(4096, 999), 3: Extent(6144, 2048), 5: Extent(10240, 1), 6: Extent(12288, 1)}
    partition({1, 2, 5, 6}, wanted).perform(host)
    assert host.run.argvs[1:] == [
        ("partx", "--delete", "--nr", "1:2", "/dev/vdb"),
        ("partx", "--add", "--nr", "2", "/dev/vdb"),
        ("partx", "--add", "--nr", "5:6", "/dev/vdb"),
    ]


def test_wipe_makes_kernel_forget_old_partitions(host: FakeHost, sysfs: Sysfs) -> None:
    for number in (1, 2):
        sysfs.partition("vdb", number, 2048 * number, 2048)
    action = partition({1}, {1: Extent(2048, 2048)}, zero=((0, 17408),))
    assert action.describe() == "wiping and partitioning /dev/vdb"
    action.perform(host)
    assert host.devices.zeroed == [("/dev/vdb", ((0, 17408),))]
    assert host.run.argvs[1:] == [("partx", "--delete", "--nr", "2", "/dev/vdb")]


def test_failing_partx_is_retried(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("partx", status=1, stderr="busy")
    partition({1}, {1: Extent(2048, 4096)}).perform(host)
    with pytest.raises(IgnitionError, match="partition 1 not found"):
        ExpectPartitions((), "/dev/vdb", DISK, frozenset(), {1: Extent(2048, 4096)}).perform(host)


def test_failing_sfdisk_is_an_error(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("sfdisk", status=1, stderr="Sector 2048 already used.")
    with pytest.raises(CommandFailed, match="already used"):
        partition({1}, {1: Extent(2048, 4096)}).perform(host)
    assert host.run.ran("partx") == []


def test_device_mapper_partitions_are_left_to_udev(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", SIZE, mapper_name="mpatha")
    partition({1}, {1: Extent(2048, 4096)}, disk=Disk("/dev/dm-0", 512, 1, "mpatha")).perform(host)
    assert host.run.ran("partx") == []


def expect(gone: set[int], expected: Mapping[int, Extent], disk: Disk = DISK) -> ExpectPartitions:
    return ExpectPartitions(("storage",), "/dev/vdb", disk, frozenset(gone), expected)


def test_expect_with_matching_kernel_waits_for_nodes(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.partition("vdb", 1, 2048, 4096)
    expect({2}, {1: Extent(2048, 4096)}).perform(host)
    assert host.devices.waited == [{"/dev/vdb1": ("storage",)}]


def test_expect_with_mismatch_lists_all(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.partition("vdb", 1, 2048, 4096)
    sysfs.partition("vdb", 2, 8192, 1)
    with pytest.raises(IgnitionError) as caught:
        expect({2}, {1: Extent(2048, 4095), 3: Extent(1, 1)}).perform(host)
    assert str(caught.value) == (
        "the kernel's view of /dev/vdb does not match the written partition table: "
        "partition 2 still exists; partition 1 has 4096 sectors at 2048, want 4095 at 2048; "
        "partition 3 not found"
    )


def test_expect_compares_4096_byte_sectors(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.partition("vdb", 1, 2048, 8192)
    expect(set(), {1: Extent(256, 1024)}, Disk("/dev/vdb", 4096, SIZE // 4096)).perform(host)


def test_expect_waits_for_vanished_partition(
    host: FakeHost, sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: sysfs.partition("vdb", 1, 2048, 4096))
    expect(set(), {1: Extent(2048, 4096)}).perform(host)


def test_device_mapper_partitions_are_measured_with_dmsetup(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", SIZE, mapper_name="mpatha")
    sysfs.disk("dm-1", 4096 * 512, mapper_name="mpathap1")
    sysfs.link("/dev/disk/by-id/dm-name-mpathap1", "/dev/dm-1")
    host.run.answer("dmsetup", stdout="0 4096 linear 253:0 2048\n", having="mpathap1")
    expect(set(), {1: Extent(2048, 4096)}, Disk("/dev/dm-0", 512, SIZE // 512, "mpatha")).perform(host)
    assert host.run.argvs == [("dmsetup", "table", "mpathap1")]
