# SPDX-License-Identifier: Apache-2.0
"""Stale signatures in the extents of partitions to be created, found by any device path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.host.command import Ran
from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Storage
from ignition.stages import Plan
from ignition.stages.disks.partitions.step import Partitions
from tests.host.fakes import FakeHost
from tests.lab.sysfs import Sysfs

MIB = 1 << 20


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def node(host: FakeHost) -> Path:
    """A disk with a signature at 2 MiB, the start of the future second partition."""
    made = Sysfs(Path(host.system)).disk("vdb", 16 * MIB)
    with made.open("r+b") as file:
        file.seek(2 * MIB + 1080)
        file.write(b"\x53\xef")
    return made


GUID = "AAAAAAAA-1111-2222-3333-444444444444"
PARTITIONS = (Partition(number=1, size_mib=1), Partition(number=2, label="two", guid=GUID, size_mib=4))


def plan(host: FakeHost, device: str = "/dev/vdb", **sections: Any) -> Plan:
    host.devices.links[device] = "/dev/vdb"
    disk = Disk(device=device, partitions=PARTITIONS)
    config = Config(storage=Storage(disks=(disk,), **sections))
    step = Partitions()
    return step.plan(config, step.observe(config, host, State()))


def fs(device: str, format_: str | None = "xfs", **more: Any) -> tuple[Filesystem, ...]:
    return (Filesystem(device=device, format=format_, **more),)


@pytest.mark.parametrize(
    ("disk", "device"),
    [
        ("/dev/vdb", "/dev/vdb2"),
        ("/dev/vdb", "/dev/disk/by-partlabel/two"),
        ("/dev/vdb", f"/dev/disk/by-partuuid/{GUID.lower()}"),
        ("/dev/disk/by-id/virtio-x", "/dev/disk/by-id/virtio-x-part2"),
        ("/dev/disk/by-path/pci-x", "/dev/vdb2"),
    ],
)
@pytest.mark.usefixtures("node")
def test_stale_signature_is_found_by_any_partition_name(host: FakeHost, disk: str, device: str) -> None:
    host.run.answer("blkid", stdout="ID_FS_TYPE=ext4\nID_FS_LABEL_ENC=old\n", having="--offset")
    found = plan(host, disk, filesystems=fs(device))
    assert [str(each) for each in found.refusals] == [
        (
            f"$.storage.filesystems.0.wipeFilesystem: existing filesystem on {device} does not match "
            "the config: "
            "found ext4, want xfs"
        )
    ]
    assert found.actions == ()
    (argv,) = (argv for argv in host.run.ran("blkid") if "--offset" in argv)
    assert argv[4:] == ("--offset", str(2 * MIB), "--size", str(4 * MIB), "/dev/vdb")


@pytest.mark.parametrize(
    "filesystems",
    [
        fs("/dev/vdb2", "ext4", label="old"),
        fs("/dev/vdb2", wipe_filesystem=True),
        fs("/dev/vdb2", None),
        fs("/dev/vdb2", "virtiofs"),
        # The extent of the first partition has no signature.
        fs("/dev/vdb1"),
        fs("/dev/vdc1"),
    ],
)
@pytest.mark.usefixtures("node")
def test_matching_or_wiped_signature_is_accepted(host: FakeHost, filesystems: tuple[Filesystem, ...]) -> None:
    host.run.answer("blkid", stdout="ID_FS_TYPE=ext4\nID_FS_LABEL_ENC=old\n", having="--offset")
    assert plan(host, filesystems=filesystems).refusals == ()


@pytest.mark.usefixtures("node")
def test_several_signatures_are_left_to_later_step(host: FakeHost) -> None:
    host.run.answer("blkid", Ran(8), having="--offset")
    assert plan(host, filesystems=fs("/dev/vdb2")).refusals == ()


@pytest.mark.parametrize(
    ("there", "wipe", "refused"),
    [("xfs", False, True), ("xfs", True, False), ("crypto_LUKS", False, False), ("", False, False)],
)
@pytest.mark.usefixtures("node")
def test_stale_signature_under_luks_volume_is_refused(
    host: FakeHost, there: str, wipe: bool, refused: bool
) -> None:
    host.run.answer("blkid", stdout=f"ID_FS_TYPE={there}\n", having="--offset")
    volume = Luks(name="v", device="/dev/disk/by-partlabel/two", wipe_volume=wipe)
    reasons = [str(each) for each in plan(host, luks=(volume,)).refusals]
    text = 'cannot use /dev/disk/by-partlabel/two as LUKS volume "v": found xfs, want LUKS 2'
    assert reasons == ([f"$.storage.luks.0.wipeVolume: {text}"] if refused else [])


def test_new_disk_runs_no_process(host: FakeHost) -> None:
    Sysfs(Path(host.system)).disk("vdb", 16 * MIB)
    assert plan(host, filesystems=fs("/dev/vdb2")).refusals == ()
    assert host.run.argvs == []
