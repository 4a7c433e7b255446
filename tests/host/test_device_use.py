# SPDX-License-Identifier: Apache-2.0
"""Block devices in use: by mounts, swap, btrfs and holders."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.device_use import DevicesInUse, DeviceUse, UseKind
from tests.lab.sysfs import Sysfs


def described(use: DeviceUse | None) -> str:
    return use.describe() if use else ""


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    made = Sysfs(tmp_path)
    made.disk("vdb", 1 << 20, number="254:16")
    made.partition("vdb", 1, 2048, 2048)
    return made


def test_mount_is_found_by_source_number_and_partition(sysfs: Sysfs) -> None:
    system = str(sysfs.system)
    assert DevicesInUse.read(system).of("/dev/vdb") is None
    sysfs.mount("/by-number", "/dev/root", "ext4", "254:16")
    assert DevicesInUse.read(system).of("/dev/vdb") == DeviceUse(UseKind.MOUNTED, "/by-number")
    sysfs.umount(["/by-number"])

    sysfs.mount("/part", "/dev/vdb1", "btrfs", "0:60")
    use = DevicesInUse.read(system)
    assert (use.of("/dev/vdb"), use.of("/dev/vdb1")) == (None, DeviceUse(UseKind.MOUNTED, "/part"))
    assert described(use.of_any("/dev/vdb")) == "mounted at /part"


def test_holders_count_unless_excluded(sysfs: Sysfs) -> None:
    sysfs.hold("/dev/vdb", "dm-3")
    use = DevicesInUse.read(str(sysfs.system))
    assert described(use.of("/dev/vdb")) == "held by /dev/dm-3"
    assert use.of("/dev/vdb", held=False) is None


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
            "held by /dev/dm-0, the LUKS volume secret",
        ),
        ("dm-0", {"dm/name": "other", "dm/uuid": ""}, "held by /dev/dm-0, the device /dev/mapper/other"),
        ("md127", {"md/array_state": "clean"}, "held by /dev/md127, a RAID array"),
        # Also members of an inactive array.
        ("md127", {"md/array_state": "inactive"}, "held by /dev/md127, a RAID array"),
        ("bcache0", {}, "held by /dev/bcache0"),
        (
            "dm-0",
            {"dm/name": "mpatha", "dm/uuid": "mpath-3600508b400105e210000900000490000"},
            "a path of the multipath device /dev/mapper/mpatha",
        ),
    ],
)
def test_holder_is_described(sysfs: Sysfs, holder: str, attributes: dict[str, str], reason: str) -> None:
    sysfs.disk(holder, 1 << 20)
    for name, value in attributes.items():
        sysfs.attribute(holder, name, value)
    sysfs.hold("/dev/vdb", holder)
    use = DevicesInUse.read(str(sysfs.system))
    assert described(use.of("/dev/vdb")) == reason
    # The holder of a whole disk also holds its partitions.
    assert use.of("/dev/vdb1") is None
    assert described(use.of_any("/dev/vdb1")) == f"a part of /dev/vdb, which is {reason}"


def test_several_holders_are_described(sysfs: Sysfs) -> None:
    """An LVM physical volume with two logical volumes."""
    for number, name in enumerate(("vg-root", "vg-var")):
        sysfs.disk(f"dm-{number}", 1 << 20, mapper_name=name)
        sysfs.attribute(f"dm-{number}", "dm/uuid", "LVM-x")
        sysfs.hold("/dev/vdb", f"dm-{number}")
    assert described(DevicesInUse.read(str(sysfs.system)).of("/dev/vdb")) == (
        "held by /dev/dm-0, the logical volume vg-root and /dev/dm-1, the logical volume vg-var"
    )


def test_hint_for_multipath_path_names_the_multipath_device(sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 1 << 20, mapper_name="mpatha")
    sysfs.attribute("dm-0", "dm/uuid", "mpath-3600508b4")
    sysfs.hold("/dev/vdb", "dm-0")
    use = DevicesInUse.read(str(sysfs.system))
    hint = "use the multipath device /dev/mapper/mpatha"
    assert [each and each.hint() for each in (use.of("/dev/vdb"), use.of_any("/dev/vdb1"))] == [
        hint,
        f"{hint} or its partitions",
    ]
    assert DeviceUse(UseKind.MOUNTED, "/").hint() == (
        "unmount or detach it first; devices that the boot uses cannot be changed"
    )


def test_second_device_of_mounted_btrfs_is_in_use(sysfs: Sysfs) -> None:
    """The mount table names only one device, and no device number."""
    directory = sysfs.system / "sys/fs/btrfs"
    for name in ("vdb", "vdb1"):
        (directory / "c0ffee/devices" / name).mkdir(parents=True)
    (directory / "features").mkdir()
    sysfs.mount("/data", "/dev/vdb", "btrfs", "0:60")
    use = DevicesInUse.read(str(sysfs.system))
    assert described(use.of("/dev/vdb")) == "mounted at /data"
    assert described(use.of("/dev/vdb1")) == "a device of a mounted btrfs"


def test_swap_is_in_use(sysfs: Sysfs) -> None:
    sysfs.swap("/dev/vdb1")
    assert described(DevicesInUse.read(str(sysfs.system)).of("/dev/vdb1")) == "active swap"


def test_swap_on_device_mapper_device_is_in_use(sysfs: Sysfs) -> None:
    """`/proc/swaps` has the kernel node; the devices below are held."""
    sysfs.disk("dm-0", 1 << 20, mapper_name="vg-swap")
    sysfs.hold("/dev/vdb1", "dm-0")
    sysfs.swap("/dev/dm-0")
    use = DevicesInUse.read(str(sysfs.system))
    assert described(use.of("/dev/dm-0")) == "active swap"
    assert described(use.of_any("/dev/vdb")) == "held by /dev/dm-0, the device /dev/mapper/vg-swap"


def test_kernel_without_swap_has_no_swap_in_use(sysfs: Sysfs) -> None:
    (sysfs.system / "proc/swaps").unlink()
    assert DevicesInUse.read(str(sysfs.system)).of("/dev/vdb1") is None
