# SPDX-License-Identifier: Apache-2.0
"""Candidate filesystems: order, and choice among several."""

from __future__ import annotations

import json

import pytest

from ignition.bootloader import candidates
from ignition.bootloader.candidates import BootFacts, Device
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


def facts(*devices: Device, line: str = "root=LABEL=root", partition: str = "") -> BootFacts:
    return BootFacts(devices, candidates.arguments(line), partition)


def test_grub_candidates_are_ordered() -> None:
    found = list(candidates.grub_candidates(facts(SYSTEM, EXTENDED, ROOT, BOOT)))
    assert [(candidate.device, candidate.prefix) for candidate in found] == [
        ("/dev/vda2", ""),
        ("/dev/vda3", ""),
        ("/dev/vda4", "/boot"),
        ("/dev/vda1", ""),
    ]


def test_systemd_boot_candidates_are_ordered() -> None:
    found = list(candidates.systemd_boot_candidates(facts(SYSTEM, EXTENDED, ROOT, BOOT)))
    assert [candidate.device for candidate in found] == ["/dev/vda3", "/dev/vda1"]


def test_mbr_partition_types_are_recognized() -> None:
    found = candidates.systemd_boot_candidates(facts(Device("/dev/vda1", parttype="0xef", disk="/dev/vda")))
    assert [candidate.device for candidate in found] == ["/dev/vda1"]


@pytest.mark.parametrize(
    ("line", "partition", "expected"),
    [
        ("root=LABEL=root", "", "/dev/vda1"),
        ("root=/dev/vdb3", "", "/dev/vdb1"),
        # The disk of the boot loader has priority over that of the root.
        ("root=LABEL=root", "F-1", "/dev/vdb1"),
    ],
)
def test_device_on_disk_of_boot_loader_or_root_is_chosen(line: str, partition: str, expected: str) -> None:
    it = facts(SYSTEM, OTHER_SYSTEM, ROOT, DATA, line=line, partition=partition)
    assert [candidate.device for candidate in candidates.systemd_boot_candidates(it)] == [expected]


def test_single_device_on_other_disk_is_chosen() -> None:
    it = facts(OTHER_BOOT, ROOT)
    assert next(candidates.grub_candidates(it)).device == "/dev/vdb2"


def test_ambiguous_devices_are_an_error() -> None:
    with pytest.raises(
        IgnitionError, match="/dev/vda2, /dev/vdb2 are each the filesystem labelled boot"
    ) as caught:
        list(candidates.grub_candidates(facts(BOOT, OTHER_BOOT, line="")))
    assert "IGNITION_BOOT_DEVICE" in caught.value.hint


@pytest.mark.parametrize(
    "spec",
    ["LABEL=root", "UUID=u-4", "UUID=U-4", "PARTUUID=E-4", "PARTLABEL=system", "/dev/vda4", 'LABEL="root"'],
)
def test_root_is_found_by_every_kind_of_name(spec: str) -> None:
    assert facts(SYSTEM, ROOT, line=f"ro root={spec} quiet").root == ROOT


@pytest.mark.parametrize("spec", ["", "LABEL=", "LABEL=ROOT", "UUID=u-9", "/dev/mapper/root", "gpt-auto"])
def test_missing_root_is_no_candidate(spec: str) -> None:
    it = facts(SYSTEM, ROOT, line=f"root={spec}")
    assert it.root is None
    assert list(candidates.root_candidate(it)) == []


def test_root_candidate_has_rootflags() -> None:
    (candidate,) = candidates.root_candidate(
        facts(ROOT, line="root=LABEL=root rootflags=subvol=@,compress=zstd"), "/boot"
    )
    assert candidate.options == ("subvol=@", "compress=zstd")


def test_fstab_candidate_is_the_filesystem_at_boot() -> None:
    it = facts(BOOT, DATA)
    lines = (
        "# LABEL=data /boot ext4",
        "",
        "LABEL=root / ext4",
        "UUID=u-2\t/boot  ext4 x 0 2",
        "LABEL=data /boot/efi",
    )
    fstab = "\n".join(lines)
    assert [candidate.device for candidate in candidates.fstab_candidate(it, fstab)] == ["/dev/vda2"]
    assert list(candidates.fstab_candidate(it, "UUID=gone /boot ext4")) == []


def test_duplicate_candidates_are_removed() -> None:
    twice = Device("/dev/vda2", "boot", parttype=XBOOTLDR, disk="/dev/vda")
    found = list(candidates.without_duplicates(candidates.grub_candidates(facts(twice))))
    assert [candidate.device for candidate in found] == ["/dev/vda2"]


def test_arguments_are_split_by_name() -> None:
    assert candidates.arguments('ro a=1 a=2 b="x y" "c=p q" root=LABEL=r') == {
        "ro": "",
        "a": "2",
        "b": "x y",
        "c": "p q",
        "root": "LABEL=r",
    }


def test_parse_reads_lsblk_output() -> None:
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
