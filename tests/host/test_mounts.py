"""What is mounted and in use: mountinfo as proc(5) has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ignition.host import mounts
from ignition.host.mounts import Mount, Use
from tests.lab.sysfs import Sysfs


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        (
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
            Mount("/mnt2", "/dev/root", "ext3", "98:0"),
        ),
        ("22 1 0:21 / /proc rw - proc proc rw\n", Mount("/proc", "proc", "proc", "0:21")),
        (
            "40 1 8:1 / /a\\040b\\134c rw shared:1 master:2 - vfat /dev/disk/by-label/x\\040y rw\n",
            Mount("/a b\\c", "/dev/disk/by-label/x y", "vfat", "8:1"),
        ),
        ("41 1 0:50 / /shared rw - virtiofs tag rw\n", Mount("/shared", "tag", "virtiofs", "0:50")),
    ],
)
def test_lines(line: str, mount: Mount) -> None:
    assert mounts.parse(line) == mount


def test_this_machine() -> None:
    found = mounts.mounted("/")
    assert any(mount.target == "/proc" and mount.format == "proc" for mount in found)


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    made = Sysfs(tmp_path)
    made.disk("vdb", 1 << 20, number="254:16")
    made.partition("vdb", 1, 2048, 2048)
    return made


def test_use_by_source_by_number_and_of_parts(sysfs: Sysfs) -> None:
    system = str(sysfs.system)
    assert Use.now(system).of("/dev/vdb") == ""
    sysfs.mount("/by-number", "/dev/root", "ext4", "254:16")
    assert Use.now(system).of("/dev/vdb") == "mounted at /by-number"
    sysfs.umount(["/by-number"])

    sysfs.mount("/part", "/dev/vdb1", "btrfs", "0:60")
    use = Use.now(system)
    assert (use.of("/dev/vdb"), use.of("/dev/vdb1")) == ("", "mounted at /part")
    assert use.of_any("/dev/vdb") == "mounted at /part"


def test_holders_count_unless_they_do_not(sysfs: Sysfs) -> None:
    sysfs.hold("/dev/vdb", "dm-3")
    use = Use.now(str(sysfs.system))
    assert use.of("/dev/vdb") == "held by /dev/dm-3"
    assert use.of("/dev/vdb", held=False) == ""


def test_swap(sysfs: Sysfs) -> None:
    sysfs.swap("/dev/vdb1")
    assert Use.now(str(sysfs.system)).of("/dev/vdb1") == "used for swapping"


def test_a_kernel_without_swap(sysfs: Sysfs) -> None:
    (sysfs.system / "proc/swaps").unlink()
    assert Use.now(str(sysfs.system)).of("/dev/vdb1") == ""


def test_users_of_a_mount_are_named(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        (found,) = [name for name in mounts.users("/", str(tmp_path)) if f"({os.getpid()})" in name]
    assert found.endswith(f" ({os.getpid()})")
    assert f"({os.getpid()})" not in " ".join(mounts.users("/", str(tmp_path)))
