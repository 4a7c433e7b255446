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


@pytest.mark.parametrize(
    ("holder", "attributes", "reason"),
    [
        (
            "dm-0",
            {"dm/name": "vg-root", "dm/uuid": "LVM-N3Xq6dQGKTSdTDN2uW"},
            "held by /dev/dm-0, the logical volume vg-root",
        ),
        (
            "dm-0",
            {"dm/name": "secret", "dm/uuid": "CRYPT-LUKS2-c0ffee-secret"},
            "held by /dev/dm-0, the encrypted volume secret",
        ),
        ("dm-0", {"dm/name": "other", "dm/uuid": ""}, "held by /dev/dm-0, the device /dev/mapper/other"),
        ("md127", {"md/array_state": "clean"}, "held by /dev/md127, an array"),
        # Members of an array that is only half there, too.
        ("md127", {"md/array_state": "inactive"}, "held by /dev/md127, an array"),
        ("bcache0", {}, "held by /dev/bcache0"),
        (
            "dm-0",
            {"dm/name": "mpatha", "dm/uuid": "mpath-3600508b400105e210000900000490000"},
            "one path of the multipath device /dev/mapper/mpatha",
        ),
    ],
)
def test_what_is_built_on_a_device_is_named(
    sysfs: Sysfs, holder: str, attributes: dict[str, str], reason: str
) -> None:
    sysfs.disk(holder, 1 << 20)
    for name, value in attributes.items():
        sysfs.attribute(holder, name, value)
    sysfs.hold("/dev/vdb", holder)
    use = Use.now(str(sysfs.system))
    assert use.of("/dev/vdb") == reason
    # Whoever has the whole disk has its parts.
    assert use.of("/dev/vdb1") == ""
    assert use.of_any("/dev/vdb1") == f"a part of /dev/vdb, which is {reason}"


def test_several_holders(sysfs: Sysfs) -> None:
    """A physical volume with two logical ones."""
    for number, name in enumerate(("vg-root", "vg-var")):
        sysfs.disk(f"dm-{number}", 1 << 20, mapper_name=name)
        sysfs.attribute(f"dm-{number}", "dm/uuid", "LVM-x")
        sysfs.hold("/dev/vdb", f"dm-{number}")
    assert Use.now(str(sysfs.system)).of("/dev/vdb") == (
        "held by /dev/dm-0, the logical volume vg-root and /dev/dm-1, the logical volume vg-var"
    )


def test_who_names_one_path_is_told_the_device_that_all_lead_to(sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 1 << 20, mapper_name="mpatha")
    sysfs.attribute("dm-0", "dm/uuid", "mpath-3600508b4")
    sysfs.hold("/dev/vdb", "dm-0")
    use = Use.now(str(sysfs.system))
    hint = "name the device that all paths lead to, /dev/mapper/mpatha"
    assert mounts.remedy(use.of("/dev/vdb")) == hint
    assert mounts.remedy(use.of_any("/dev/vdb1")) == f"{hint}, or its parts"
    assert mounts.remedy("mounted at /") == (
        "unmount or detach it first; what the boot itself uses cannot be changed"
    )


def test_the_second_device_of_a_btrfs_that_is_mounted(sysfs: Sysfs) -> None:
    """Its mount names one device only, and has no device's number."""
    directory = sysfs.system / "sys/fs/btrfs"
    for name in ("vdb", "vdb1"):
        (directory / "c0ffee/devices" / name).mkdir(parents=True)
    (directory / "features").mkdir()
    sysfs.mount("/data", "/dev/vdb", "btrfs", "0:60")
    use = Use.now(str(sysfs.system))
    assert use.of("/dev/vdb") == "mounted at /data"
    assert use.of("/dev/vdb1") == "part of a btrfs that is mounted"


def test_swap(sysfs: Sysfs) -> None:
    sysfs.swap("/dev/vdb1")
    assert Use.now(str(sysfs.system)).of("/dev/vdb1") == "used for swapping"


def test_swap_on_a_device_that_device_mapper_made(sysfs: Sysfs) -> None:
    """The kernel shows the node; what lies below is held."""
    sysfs.disk("dm-0", 1 << 20, mapper_name="vg-swap")
    sysfs.hold("/dev/vdb1", "dm-0")
    sysfs.swap("/dev/dm-0")
    use = Use.now(str(sysfs.system))
    assert use.of("/dev/dm-0") == "used for swapping"
    assert use.of_any("/dev/vdb") == "held by /dev/dm-0, the device /dev/mapper/vg-swap"


def test_a_kernel_without_swap(sysfs: Sysfs) -> None:
    (sysfs.system / "proc/swaps").unlink()
    assert Use.now(str(sysfs.system)).of("/dev/vdb1") == ""


def test_users_of_a_mount_are_named(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        (found,) = [name for name in mounts.users("/", str(tmp_path)) if f"({os.getpid()})" in name]
    assert found.endswith(f" ({os.getpid()})")
    assert f"({os.getpid()})" not in " ".join(mounts.users("/", str(tmp_path)))
