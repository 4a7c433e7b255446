# SPDX-License-Identifier: Apache-2.0
"""Refusals for missing programs and kernel features, before any write of the stage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import Refused
from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Raid, Storage
from ignition.stages import STAGES
from ignition.stages.disks import STEPS
from ignition.stages.disks.preflight.step import Preflight
from tests.host.fakes import FakeHost
from tests.lab.performing import performed
from tests.lab.sysfs import Sysfs

DISKS = next(stage for stage in STAGES if stage.name == "disks")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    made = Sysfs(Path(host.system))
    made.disk("vdb", 8 << 20)
    made.disk("vdc", 8 << 20)
    return made


def config(**sections: Any) -> Config:
    return Config(storage=Storage(**sections))


def refusals(host: FakeHost, wanted: Config) -> list[str]:
    step = Preflight()
    assert step.wanted(wanted)
    return [str(each) for each in step.plan(wanted, step.observe(wanted, host, State())).refusals]


def test_preflight_is_the_first_step() -> None:
    assert isinstance(STEPS[0], Preflight)
    assert not Preflight().wanted(Config())


PARTITIONED = Disk(device="/dev/vdb", wipe_table=True, partitions=(Partition(number=1, label="a"),))


def test_all_preflight_refusals_come_before_any_write(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.missing = {"mkfs.btrfs", "mdadm", "sfdisk"}
    wanted = config(
        disks=(PARTITIONED,),
        raid=(
            Raid(name="a", level="raid1", devices=("/dev/md/a",)),
            Raid(name="b", level="raid6", devices=("/dev/vdb1",)),
        ),
        filesystems=(
            Filesystem(device="/dev/vdb1", format="zfs"),
            Filesystem(device="/dev/vdc", format="btrfs", path="/srv"),
        ),
    )
    (sysfs.system / "proc/mdstat").write_text("Personalities : [raid1] \n")
    with pytest.raises(Refused) as caught:
        performed(DISKS, wanted, host, State())
    assert str(caught.value).splitlines() == [
        '$.storage.filesystems.0.format: unsupported filesystem format "zfs"',
        '$.storage.raid.0.devices: RAID dependency cycle involving array "a"',
        (
            "$.storage.filesystems.0.device: /dev/vdb1 is claimed twice: as the device of a filesystem "
            'and as a member of RAID array "b" '
            "($.storage.raid.1.devices.0)"
        ),
        '$.storage.disks.0: program "sfdisk" not found (package fdisk)',
        '$.storage.raid.0: program "mdadm" not found (package mdadm)',
        '$.storage.filesystems.1: program "mkfs.btrfs" not found (package btrfs-progs)',
        (
            "$.storage.raid.1.level: the kernel lacks support for RAID level raid6 "
            'and the initramfs has no module "raid456"'
        ),
    ]
    assert [argv[0] for argv in host.run.argvs] == ["blkid"]
    assert (host.devices.waited, host.devices.zeroed) == ([], [])


# Programs.


@pytest.mark.parametrize(
    ("sections", "programs"),
    [
        ({"disks": (Disk(device="/dev/vdb"),)}, set()),
        ({"disks": (Disk(device="/dev/vdb", wipe_table=True),)}, {"partx"}),
        ({"disks": (PARTITIONED,)}, {"blkid", "sfdisk", "partx"}),
        ({"disks": (PARTITIONED.evolve(device="/dev/mapper/mpatha"),)}, {"blkid", "sfdisk", "dmsetup"}),
        ({"raid": (Raid(name="a", level="raid1", devices=("/dev/vdb",)),)}, {"wipefs", "mdadm"}),
        ({"filesystems": (Filesystem(device="/dev/vdb"),)}, set()),
        ({"filesystems": (Filesystem(device="/dev/vdb", format="none"),)}, {"wipefs", "blkid"}),
        ({"filesystems": (Filesystem(device="tag", format="virtiofs", path="/x"),)}, {"mount"}),
        (
            {"filesystems": (Filesystem(device="/dev/vdb", format="xfs", path="/x"),)},
            {"wipefs", "blkid", "mkfs.xfs", "mount"},
        ),
        ({"filesystems": (Filesystem(device="/dev/vdb", format="swap"),)}, {"wipefs", "blkid", "mkswap"}),
    ],
)
def test_needs_lists_programs_of_config(
    host: FakeHost, sysfs: Sysfs, sections: dict[str, Any], programs: set[str]
) -> None:
    (sysfs.system / "proc/mdstat").write_text("Personalities : [raid1] \n")
    host.run.missing = {
        "blkid", "cryptsetup", "dmsetup", "mdadm", "mkfs.btrfs", "mkfs.ext4", "mkfs.fat", "mkfs.xfs",
        "mkswap", "mount", "partx", "sfdisk", "wipefs",
    }  # fmt: skip
    found = refusals(host, config(**sections))
    assert all(" not found (package " in text for text in found)
    assert {text.split('program "')[1].split('"')[0] for text in found} == programs


def test_luks_volumes_need_cryptsetup(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.missing = {"cryptsetup"}
    assert refusals(host, config(luks=(Luks(name="v", device="/dev/vdb"),))) == [
        '$.storage.luks.0: program "cryptsetup" not found (package cryptsetup-bin)'
    ]


def fs(device: str = "/dev/vdb", **more: Any) -> Filesystem:
    return Filesystem(device=device, format="xfs", **more)


KEPT = Luks(name="v", device="/dev/vdb")


@pytest.mark.parametrize(
    ("sections", "there", "is_missed"),
    [
        ({"filesystems": (fs(),)}, "", True),
        ({"filesystems": (fs(),)}, "ext4", True),
        ({"filesystems": (fs(),)}, "xfs", False),
        ({"filesystems": (fs(wipe_filesystem=True),)}, "xfs", True),
        # The contents of a closed volume are unknown.
        ({"luks": (KEPT,), "filesystems": (fs("/dev/mapper/v"),)}, "", False),
        ({"luks": (KEPT,), "filesystems": (fs("/dev/mapper/v", wipe_filesystem=True),)}, "", True),
        ({"luks": (KEPT.evolve(wipe_volume=True),), "filesystems": (fs("/dev/mapper/v"),)}, "", True),
        ({"luks": (KEPT,), "filesystems": (fs("/dev/disk/by-partlabel/new"),)}, "", True),
    ],
)
def test_missing_mkfs_is_accepted_where_filesystem_may_exist(
    host: FakeHost, sysfs: Sysfs, sections: dict[str, Any], there: str, is_missed: bool
) -> None:
    host.run.missing = {"mkfs.xfs"}
    host.run.answer("blkid", stdout=f"ID_FS_TYPE={there}\n" if there else "", status=0 if there else 2)
    assert bool(refusals(host, config(**sections))) is is_missed


# The kernel.


def modules(sysfs: Sysfs, *, dep: str = "", builtin: str = "") -> None:
    directory = sysfs.system / "lib/modules" / os.uname().release
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "modules.dep").write_text(dep)
    (directory / "modules.builtin").write_text(builtin)


MOUNTED = config(filesystems=(Filesystem(device="/dev/vdb", format="btrfs", path="/srv"),))
NOT_MOUNTED = config(filesystems=(Filesystem(device="/dev/vdb", format="btrfs"),))
REFUSED = 'the kernel lacks btrfs support and the initramfs has no module "btrfs"'


def test_unsupported_filesystem_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    (sysfs.system / "proc/filesystems").write_text("nodev\tsysfs\n\text4\n")
    assert refusals(host, MOUNTED) == [f"$.storage.filesystems.0.format: {REFUSED}"]
    assert refusals(host, NOT_MOUNTED) == []
    modules(sysfs, dep="kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz\nkernel/fs/notbtrfs.ko:\n")
    assert refusals(host, MOUNTED) == [f"$.storage.filesystems.0.format: {REFUSED}"]
    modules(sysfs, dep="kernel/fs/xfs/xfs.ko.xz:\nkernel/fs/btrfs/btrfs.ko.xz: kernel/x.ko\n")
    assert refusals(host, MOUNTED) == []
    modules(sysfs, builtin="kernel/fs/btrfs/btrfs.ko\n", dep="\n")
    assert refusals(host, MOUNTED) == []


def test_unsupported_raid_level_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    wanted = config(raid=(Raid(name="a", level="5", devices=("/dev/vdb", "/dev/vdc")),))
    refused = "$.storage.raid.0.level: the kernel lacks support for RAID level raid5"
    assert refusals(host, wanted) == [f'{refused} and the initramfs has no module "raid456"']
    modules(sysfs, dep="kernel/drivers/md/raid456.ko:\n")
    assert refusals(host, wanted) == []
    modules(sysfs, dep="kernel/drivers/md/raid1.ko:\n")
    assert len(refusals(host, wanted)) == 1
    (sysfs.system / "proc/mdstat").write_text("Personalities : [raid6] [raid5] [raid4] \n")
    assert refusals(host, wanted) == []


def test_missing_dm_crypt_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    wanted = config(luks=(Luks(name="v", device="/dev/vdb"),))
    # Without a list of modules, built-in features are unknown.
    assert refusals(host, wanted) == []
    modules(sysfs, dep="kernel/drivers/md/dm-mod.ko:\n")
    refused = 'the kernel lacks dm-crypt support and the initramfs has no module "dm_crypt"'
    assert refusals(host, wanted) == [f"$.storage.luks.0: {refused}"]
    modules(sysfs, dep="kernel/drivers/md/dm-crypt.ko.zst:\n")
    assert refusals(host, wanted) == []
    modules(sysfs, dep="x\n")
    (sysfs.system / "sys/module/dm_crypt").mkdir(parents=True)
    assert refusals(host, wanted) == []
