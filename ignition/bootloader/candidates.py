"""On which filesystems the boot loader's files may be. What is known goes in, places come out.

GRUB's files are on the filesystem labelled `boot`, on an extended boot loader partition, below /boot of the
root filesystem, on what its /etc/fstab mounts there, or on the EFI system partition: the first of these that
has any counts. systemd-boot reads the extended boot loader partition and the EFI system partition, both of
the disk that it was started from. Source: UAPI.1, "The Partitions"; systemd's "Boot Loader Interface".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ignition.bootloader.arguments import kernel_words
from ignition.errors import IgnitionError

__all__ = [
    "Device",
    "Known",
    "Place",
    "grub_places",
    "mounted_at_boot",
    "parse",
    "root_place",
    "systemd_boot_places",
]

LABEL: Final = "boot"
EFI_SYSTEM: Final = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef")
EXTENDED_BOOT_LOADER: Final = ("bc13c2ff-59e6-4262-a352-b275fd6f7172", "0xea")
"""Types of partitions in tables of the kinds GPT and MBR."""

TAGS: Final = {"LABEL": "label", "UUID": "uuid", "PARTUUID": "partuuid", "PARTLABEL": "partlabel"}
COLUMNS: Final = ("PATH", "LABEL", "UUID", "PARTUUID", "PARTLABEL", "PARTTYPE", "PKNAME")


@dataclass(frozen=True)
class Device:
    """A block device as `lsblk` shows it; "" for what it does not have."""

    path: str
    label: str = ""
    uuid: str = ""
    partuuid: str = ""
    partlabel: str = ""
    parttype: str = ""
    disk: str = ""


@dataclass(frozen=True)
class Place:
    """A directory of a filesystem in which a boot loader may have its files.

    Attributes:
        device: where the filesystem is.
        what: what it is, for people.
        prefix: the directory: "" or "/boot".
        options: with which it is mounted.
    """

    device: str
    what: str
    prefix: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What is known of the machine.

    Attributes:
        devices: its block devices.
        arguments: the arguments its kernel was started with, by name.
        partition: PARTUUID of the EFI system partition that the boot loader came from, "" if it did not say.
    """

    devices: Sequence[Device]
    arguments: Mapping[str, str] = field(default_factory=dict)
    partition: str = ""

    @property
    def root(self) -> Device | None:
        """The device that `root=` means, if it is there."""
        return self.meant(self.arguments.get("root", ""))

    def meant(self, spec: str) -> Device | None:
        """The device that `/dev/…` or `TAG=value` means, if it is there."""
        tag, _, value = spec.partition("=")
        name = TAGS.get(tag, "path")
        wanted = value.strip('"') if tag in TAGS else spec
        same = str.lower if name in {"partuuid", "uuid"} else str
        return next(
            (each for each in self.devices if wanted and same(getattr(each, name)) == same(wanted)), None
        )

    def only(self, what: str, key: str, *values: str) -> Iterator[Place]:
        """The one device with this; of several, that on the disk of the boot loader, else of the root.

        Raises:
            IgnitionError: there are several, and no reason to take one.
        """
        found = [each for each in self.devices if getattr(each, key) in values]
        for known in (self.meant(f"PARTUUID={self.partition}"), self.root):
            near = [each for each in found if known and known.disk and each.disk == known.disk]
            found = near if len(found) > 1 and near else found
        if len(found) > 1:
            names = ", ".join(each.path for each in found)
            raise IgnitionError(
                f"cannot choose the boot filesystem: {names} are each {what}",
                hint="build the initramfs with IGNITION_BOOT_DEVICE=DEVICE",
            )
        for each in found:
            yield Place(each.path, f"{what} ({each.path})")


def parse(text: str) -> tuple[Device, ...]:
    """The answer of `lsblk --json --list --paths` with `COLUMNS`; each device once."""
    rows = json.loads(text)["blockdevices"]
    found = {row["path"]: Device(*(row[column.lower()] or "" for column in COLUMNS)) for row in rows}
    return tuple(found.values())


def arguments(line: str) -> dict[str, str]:
    """The arguments of a command line by name, without quotes; the last one of a name wins."""
    words = (word.meaning or "" for word in kernel_words(line))
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def grub_places(known: Known) -> Iterator[Place]:
    """Where GRUB's files may be, most likely first; but for what the root's fstab says."""
    yield from known.only(f"the filesystem labelled {LABEL}", "label", LABEL)
    yield from known.only("the extended boot loader partition", "parttype", *EXTENDED_BOOT_LOADER)
    yield from root_place(known, "/boot")
    yield from known.only("the EFI system partition", "parttype", *EFI_SYSTEM)


def systemd_boot_places(known: Known) -> Iterator[Place]:
    """Where systemd-boot looks for entries: in all of these."""
    yield from known.only("the extended boot loader partition", "parttype", *EXTENDED_BOOT_LOADER)
    yield from known.only("the EFI system partition", "parttype", *EFI_SYSTEM)


def root_place(known: Known, prefix: str = "") -> Iterator[Place]:
    """The root filesystem, if it is there already."""
    if known.root:
        flags = known.arguments.get("rootflags", "")
        options = tuple(filter(None, flags.split(",")))
        yield Place(
            known.root.path, f"{prefix or '/'} on the root filesystem ({known.root.path})", prefix, options
        )


def mounted_at_boot(known: Known, fstab: str) -> Iterator[Place]:
    """What a system mounts at /boot, by its fstab."""
    for fields in (line.split() for line in fstab.splitlines()):
        if len(fields) > 1 and fields[0][:1] != "#" and fields[1] == "/boot":
            device = known.meant(fields[0])
            if device:
                yield Place(device.path, f"the filesystem that /etc/fstab mounts at /boot ({device.path})")


def first_of_each(places: Iterable[Place]) -> Iterator[Place]:
    """No place twice."""
    seen = set()
    for place in places:
        if (place.device, place.prefix) not in seen:
            seen.add((place.device, place.prefix))
            yield place
