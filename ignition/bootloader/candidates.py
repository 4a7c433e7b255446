# SPDX-License-Identifier: Apache-2.0
"""Filesystems that may have boot loader files, as pure functions of facts about the machine.

GRUB's files are on the filesystem labelled `boot`, on an extended boot loader partition, in /boot of the root
filesystem, on the filesystem that its /etc/fstab mounts there, or on the EFI system partition. The first of
these with such files is used. systemd-boot reads the extended boot loader partition and the EFI system
partition of the disk that it was started from.
Source: UAPI.1, "The Partitions"; systemd's "Boot Loader Interface".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ignition.bootloader.arguments import kernel_words
from ignition.errors import IgnitionError

__all__ = [
    "BootFacts",
    "Candidate",
    "Device",
    "fstab_candidate",
    "grub_candidates",
    "parse",
    "root_candidate",
    "systemd_boot_candidates",
]

LABEL: Final = "boot"
EFI_SYSTEM: Final = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef")
EXTENDED_BOOT_LOADER: Final = ("bc13c2ff-59e6-4262-a352-b275fd6f7172", "0xea")
"""Partition types in GPT and in MBR tables."""

TAGS: Final = {"LABEL": "label", "UUID": "uuid", "PARTUUID": "partuuid", "PARTLABEL": "partlabel"}
COLUMNS: Final = ("PATH", "LABEL", "UUID", "PARTUUID", "PARTLABEL", "PARTTYPE", "PKNAME")


@dataclass(frozen=True)
class Device:
    """A block device, as listed by lsblk; "" for missing values."""

    path: str
    label: str = ""
    uuid: str = ""
    partuuid: str = ""
    partlabel: str = ""
    parttype: str = ""
    disk: str = ""


@dataclass(frozen=True)
class Candidate:
    """A directory of a filesystem that may have boot loader files.

    Attributes:
        device: device of the filesystem.
        what: its name for messages.
        prefix: the directory: "" or "/boot".
        options: mount options.
    """

    device: str
    what: str
    prefix: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class BootFacts:
    """Facts about the machine that determine the candidates.

    Attributes:
        devices: block devices.
        arguments: arguments of the running kernel, by name.
        partition: PARTUUID of the EFI system partition that the boot loader was started from, or "".
    """

    devices: Sequence[Device]
    arguments: Mapping[str, str] = field(default_factory=dict)
    partition: str = ""

    @property
    def root(self) -> Device | None:
        """The existing device of the argument `root=`, or None."""
        return self.find_device(self.arguments.get("root", ""))

    def find_device(self, spec: str) -> Device | None:
        """Return the existing device for `/dev/…` or `TAG=value`, or None."""
        tag, _, value = spec.partition("=")
        name = TAGS.get(tag, "path")
        wanted = value.strip('"') if tag in TAGS else spec
        same = str.lower if name in {"partuuid", "uuid"} else str
        return next(
            (each for each in self.devices if wanted and same(getattr(each, name)) == same(wanted)), None
        )

    def find_unique(self, what: str, key: str, *values: str) -> Iterator[Candidate]:
        """Yield the device with one of the values; of several, the one on the boot loader's or root's disk.

        Raises:
            IgnitionError: several devices remain.
        """
        found = [each for each in self.devices if getattr(each, key) in values]
        for facts in (self.find_device(f"PARTUUID={self.partition}"), self.root):
            near = [each for each in found if facts and facts.disk and each.disk == facts.disk]
            found = near if len(found) > 1 and near else found
        if len(found) > 1:
            names = ", ".join(each.path for each in found)
            raise IgnitionError(
                f"cannot choose the boot filesystem: {names} are each {what}",
                hint="build the initramfs with IGNITION_BOOT_DEVICE=DEVICE",
            )
        for each in found:
            yield Candidate(each.path, f"{what} ({each.path})")


def parse(text: str) -> tuple[Device, ...]:
    """Parse the output of `lsblk --json --list --paths` with `COLUMNS`; each device once."""
    rows = json.loads(text)["blockdevices"]
    found = {row["path"]: Device(*(row[column.lower()] or "" for column in COLUMNS)) for row in rows}
    return tuple(found.values())


def arguments(line: str) -> dict[str, str]:
    """Return the arguments of a command line by name, without quotes; the last one of a name wins."""
    words = (word.meaning or "" for word in kernel_words(line))
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def grub_candidates(facts: BootFacts) -> Iterator[Candidate]:
    """Yield the candidates for GRUB's files, except that of the root's fstab, highest priority first."""
    yield from facts.find_unique(f"the filesystem labelled {LABEL}", "label", LABEL)
    yield from facts.find_unique("the extended boot loader partition", "parttype", *EXTENDED_BOOT_LOADER)
    yield from root_candidate(facts, "/boot")
    yield from facts.find_unique("the EFI system partition", "parttype", *EFI_SYSTEM)


def systemd_boot_candidates(facts: BootFacts) -> Iterator[Candidate]:
    """Yield the candidates for entries of systemd-boot, which reads all of them."""
    yield from facts.find_unique("the extended boot loader partition", "parttype", *EXTENDED_BOOT_LOADER)
    yield from facts.find_unique("the EFI system partition", "parttype", *EFI_SYSTEM)


def root_candidate(facts: BootFacts, prefix: str = "") -> Iterator[Candidate]:
    """Yield the root filesystem, if its device exists."""
    if facts.root:
        flags = facts.arguments.get("rootflags", "")
        options = tuple(filter(None, flags.split(",")))
        yield Candidate(
            facts.root.path, f"{prefix or '/'} on the root filesystem ({facts.root.path})", prefix, options
        )


def fstab_candidate(facts: BootFacts, fstab: str) -> Iterator[Candidate]:
    """Yield the filesystem that fstab mounts at /boot."""
    for fields in (line.split() for line in fstab.splitlines()):
        if len(fields) > 1 and fields[0][:1] != "#" and fields[1] == "/boot":
            device = facts.find_device(fields[0])
            if device:
                yield Candidate(
                    device.path, f"the filesystem that /etc/fstab mounts at /boot ({device.path})"
                )


def without_duplicates(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    seen = set()
    for candidate in candidates:
        if (candidate.device, candidate.prefix) not in seen:
            seen.add((candidate.device, candidate.prefix))
            yield candidate
