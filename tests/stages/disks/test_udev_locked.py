# SPDX-License-Identifier: Apache-2.0
"""The lock of the whole disk is held while a program writes to a device; fake programs check the lock."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.host import Host
from ignition.host.command import Command
from ignition.host.devices import BlockDevices
from ignition.host.root import Root
from ignition.host.run import run
from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Luks, Partition, Raid, Storage
from ignition.stages import Step
from ignition.stages.disks.filesystems import Filesystems
from ignition.stages.disks.luks.step import Volumes
from ignition.stages.disks.partitions import actions
from ignition.stages.disks.partitions.step import Partitions
from ignition.stages.disks.raid.step import Arrays
from ignition.stages.disks.udev import RunLocked
from tests.host.fakes import FakeFetch
from tests.lab.performing import applied
from tests.lab.programs import Programs
from tests.lab.sysfs import Sysfs

SIZE = 8 << 20
WRITERS = ("sfdisk", "mkfs.ext4", "mkswap", "mdadm", "wipefs", "cryptsetup")


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    made = Sysfs(tmp_path / "system")
    for name in ("vdb", "vdc"):
        made.disk(name, SIZE)
        for number in (1, 2):
            made.partition(name, number, 2048 * number, 2048)
    return made


@pytest.fixture
def host(tmp_path: Path, sysfs: Sysfs) -> Host:
    system = str(sysfs.system)
    (tmp_path / "root").mkdir()
    return Host(
        run=run,
        root=Root(str(tmp_path / "root")),
        devices=BlockDevices(system, timeout=0.3),
        fetch=FakeFetch(),
        system=system,
    )


@pytest.fixture
def looking(programs: Programs, sysfs: Sysfs) -> Programs:
    """Fake programs that try the lock like udev, and write the disks that were locked to a file."""
    for name in WRITERS:
        asks = f"cd {sysfs.system}; for disk in vdb vdc; do"
        asks += f" flock --shared --nonblock dev/$disk true || echo $disk >> {name}; done"
        programs.add(name, script=asks)
    return programs


def locked(sysfs: Sysfs, program: str) -> set[str]:
    """Return the disks that were locked while the program ran."""
    file = sysfs.system / program
    return set(file.read_text().split()) if file.exists() else set()


def do(step: Step[Any], host: Host, **sections: Any) -> None:
    config = Config(storage=Storage(**sections))
    applied(step.plan(config, step.observe(config, host, State())), host)


def test_partitioning_locks_the_disk(
    host: Host, sysfs: Sysfs, looking: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PATIENCE", 0.1)
    for node in ("/dev/vdc1", "/dev/vdc2"):
        sysfs.forget(node)
    looking.add("partx")
    # The fake writes no table, so the kernel has no partitions; only the call is checked.
    with pytest.raises(Exception, match="the kernel's view of"):
        do(Partitions(), host, disks=(Disk(device="/dev/vdc", partitions=(Partition(number=1),)),))
    assert locked(sysfs, "sfdisk") == {"vdc"}


def test_mkfs_and_wipefs_lock_the_disks(host: Host, sysfs: Sysfs, looking: Programs) -> None:
    do(
        Filesystems(),
        host,
        filesystems=(
            Filesystem(device="/dev/vdb1", format="ext4"),
            Filesystem(device="/dev/vdb2", format="swap"),
        ),
    )
    assert locked(sysfs, "mkfs.ext4") == locked(sysfs, "mkswap") == {"vdb"}
    command = Command(("wipefs", "--all", "/dev/vdc1"), "wiping")
    RunLocked((), command, ("/dev/vdc1",)).perform(host)
    assert locked(sysfs, "wipefs") == {"vdc"}


def test_mdadm_locks_the_members(host: Host, sysfs: Sysfs, looking: Programs) -> None:
    array = Raid(name="a", level="raid1", devices=("/dev/vdb1", "/dev/vdc1"))
    with pytest.raises(Exception, match="/dev/md/a"):
        do(Arrays(), host, raid=(array,))
    assert locked(sysfs, "mdadm") == {"vdb", "vdc"}


def test_cryptsetup_locks_the_device(host: Host, sysfs: Sysfs, looking: Programs) -> None:
    do(Volumes(), host, luks=(Luks(name="v", device="/dev/vdc2"),))
    assert locked(sysfs, "cryptsetup") == {"vdc"}


def test_locks_are_released_after_failure(host: Host, sysfs: Sysfs, looking: Programs) -> None:
    looking.add("mkfs.ext4", status=1)
    with pytest.raises(Exception, match="exit status 1"):
        do(Filesystems(), host, filesystems=(Filesystem(device="/dev/vdb1", format="ext4"),))
    with (sysfs.system / "dev/vdb").open() as disk:
        fcntl.flock(disk, fcntl.LOCK_EX | fcntl.LOCK_NB)
