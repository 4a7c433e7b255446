"""Which filesystems are looked at, in which order, and which of several is the right one."""

from __future__ import annotations

import json

import pytest

from ignition.bootloader import candidates
from ignition.bootloader.candidates import Device, Known
from ignition.errors import IgnitionError

ESP = candidates.EFI_SYSTEM[0]
XBOOTLDR = candidates.EXTENDED_BOOT_LOADER[0]

SYSTEM = Device("/dev/vda1", "EFI", "AB-CD", "e-1", parttype=ESP, disk="/dev/vda")
BOOT = Device("/dev/vda2", "boot", "u-2", "e-2", disk="/dev/vda")
EXTENDED = Device("/dev/vda3", "", "u-3", "e-3", parttype=XBOOTLDR, disk="/dev/vda")
ROOT = Device("/dev/vda4", "root", "u-4", "e-4", "system", disk="/dev/vda")
OTHER_SYSTEM = Device("/dev/vdb1", "EFI", "EF-01", "f-1", parttype=ESP, disk="/dev/vdb")
OTHER_BOOT = Device("/dev/vdb2", "boot", "u-5", "f-2", disk="/dev/vdb")
DATA = Device("/dev/vdb3", "data", "u-6", "f-3", disk="/dev/vdb")


def known(*devices: Device, line: str = "root=LABEL=root", partition: str = "") -> Known:
    return Known(devices, candidates.arguments(line), partition)


def test_grub_s_places() -> None:
    found = list(candidates.grub_places(known(SYSTEM, EXTENDED, ROOT, BOOT)))
    assert [(place.device, place.prefix) for place in found] == [
        ("/dev/vda2", ""),
        ("/dev/vda3", ""),
        ("/dev/vda4", "/boot"),
        ("/dev/vda1", ""),
    ]


def test_systemd_boot_s_places() -> None:
    found = list(candidates.systemd_boot_places(known(SYSTEM, EXTENDED, ROOT, BOOT)))
    assert [place.device for place in found] == ["/dev/vda3", "/dev/vda1"]


def test_partitions_in_a_table_of_the_kind_mbr_have_numbers_for_types() -> None:
    found = candidates.systemd_boot_places(known(Device("/dev/vda1", parttype="0xef", disk="/dev/vda")))
    assert [place.device for place in found] == ["/dev/vda1"]


@pytest.mark.parametrize(
    ("line", "partition", "expected"),
    [
        ("root=LABEL=root", "", "/dev/vda1"),
        ("root=/dev/vdb3", "", "/dev/vdb1"),
        # The disk that the boot loader came from counts more than that of the root.
        ("root=LABEL=root", "F-1", "/dev/vdb1"),
    ],
)
def test_of_several_the_one_on_the_right_disk_is_taken(line: str, partition: str, expected: str) -> None:
    it = known(SYSTEM, OTHER_SYSTEM, ROOT, DATA, line=line, partition=partition)
    assert [place.device for place in candidates.systemd_boot_places(it)] == [expected]


def test_the_only_one_is_taken_wherever_it_is() -> None:
    it = known(OTHER_BOOT, ROOT)
    assert next(candidates.grub_places(it)).device == "/dev/vdb2"


def test_of_several_without_a_reason_none_is_taken() -> None:
    with pytest.raises(
        IgnitionError, match="/dev/vda2, /dev/vdb2 are each the filesystem labelled boot"
    ) as caught:
        list(candidates.grub_places(known(BOOT, OTHER_BOOT, line="")))
    assert "IGNITION_BOOT_DEVICE" in caught.value.hint


@pytest.mark.parametrize(
    "spec",
    ["LABEL=root", "UUID=u-4", "UUID=U-4", "PARTUUID=E-4", "PARTLABEL=system", "/dev/vda4", 'LABEL="root"'],
)
def test_how_the_root_is_named(spec: str) -> None:
    assert known(SYSTEM, ROOT, line=f"ro root={spec} quiet").root == ROOT


@pytest.mark.parametrize("spec", ["", "LABEL=", "LABEL=ROOT", "UUID=u-9", "/dev/mapper/root", "gpt-auto"])
def test_a_root_that_is_not_there_is_no_place(spec: str) -> None:
    it = known(SYSTEM, ROOT, line=f"root={spec}")
    assert it.root is None
    assert list(candidates.root_place(it)) == []


def test_the_root_is_mounted_with_its_flags() -> None:
    (place,) = candidates.root_place(
        known(ROOT, line="root=LABEL=root rootflags=subvol=@,compress=zstd"), "/boot"
    )
    assert place.options == ("subvol=@", "compress=zstd")


def test_what_fstab_mounts_at_boot() -> None:
    it = known(BOOT, DATA)
    lines = (
        "# LABEL=data /boot ext4",
        "",
        "LABEL=root / ext4",
        "UUID=u-2\t/boot  ext4 x 0 2",
        "LABEL=data /boot/efi",
    )
    fstab = "\n".join(lines)
    assert [place.device for place in candidates.mounted_at_boot(it, fstab)] == ["/dev/vda2"]
    assert list(candidates.mounted_at_boot(it, "UUID=gone /boot ext4")) == []


def test_no_place_is_looked_at_twice() -> None:
    twice = Device("/dev/vda2", "boot", parttype=XBOOTLDR, disk="/dev/vda")
    found = list(candidates.first_of_each(candidates.grub_places(known(twice))))
    assert [place.device for place in found] == ["/dev/vda2"]


def test_arguments_by_name() -> None:
    assert candidates.arguments('ro a=1 a=2 b="x y" "c=p q" root=LABEL=r') == {
        "ro": "",
        "a": "2",
        "b": "x y",
        "c": "p q",
        "root": "LABEL=r",
    }


def test_what_lsblk_says() -> None:
    row = {
        "path": "/dev/md0",
        "label": "boot",
        "uuid": None,
        "partuuid": None,
        "partlabel": None,
        "parttype": None,
    }
    rows = [row | {"pkname": "/dev/vda"}, row | {"pkname": "/dev/vdb"}]
    assert candidates.parse(json.dumps({"blockdevices": rows})) == (
        Device("/dev/md0", "boot", disk="/dev/vdb"),
    )
