# SPDX-License-Identifier: Apache-2.0
"""mdadm: create and assemble RAID arrays, and read superblocks.

Order and spelling of the options: docs/reference/stages.md, "disks stage: RAID". `--homehost any` makes the
array local on every host name, so that udev's rules do not add the host to its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.command import Command, Ran

__all__ = [
    "LEVELS", "Superblock", "assemble", "brief", "create", "device_of", "examine", "parse", "parse_brief",
    "recorded_name",
]  # fmt: skip

NO_SUPERBLOCK: Final = 1

LEVELS: Final = {
    "0": "raid0",
    "stripe": "raid0",
    "1": "raid1",
    "mirror": "raid1",
    "4": "raid4",
    "5": "raid5",
    "6": "raid6",
    "10": "raid10",
}
"""Alias of a level → the name that mdadm prints. Source: mdadm(8), `--level`."""


@dataclass(frozen=True)
class Superblock:
    """The description of an array on one of its members.

    Attributes:
        level: as printed by mdadm: `raid1`.
        devices: number of devices without spares.
        name: name without the host; "" for metadata without names.
        uuid: UUID of the array.
    """

    level: str
    devices: int
    name: str
    uuid: str


def device_of(name: str) -> str:
    """Return the device path of an array with this name."""
    return name if name.startswith("/dev") else f"/dev/md/{name}"


def recorded_name(name: str) -> str:
    """Return the name in the superblocks of an array that is created with this name.

    It is the last part of a path, and for kernel names the part after `md`: `/dev/md0` → `0`.
    """
    kernel = re.fullmatch(r"/dev/md(?:_(.+)|(\d.*))", name)
    return (kernel[1] or kernel[2]) if kernel else name.rpartition("/")[2]


def create(
    name: str,
    level: str,
    members: Sequence[str],
    *,
    spares: int = 0,
    options: Sequence[str] = (),
    shown_as: Sequence[str] = (),
) -> Command:
    """Create and start an array; existing data on its members is lost.

    mdadm gets the device path, because it takes a bare name for an existing file in the current directory,
    such as `root` or `run` in an initramfs. The recorded name is the same.

    Args:
        name: name, or path of the device.
        level: level or an alias.
        members: paths of the members, spares last.
        spares: number of spares.
        options: further options.
        shown_as: names of the members for the log.
    """
    argv = ["mdadm", "--create", device_of(name), "--force", "--run", "--homehost", "any", "--level", level]
    argv += ["--raid-devices", str(len(members) - spares)]
    if spares > 0:
        argv += ["--spare-devices", str(spares)]
    why = f"creating RAID array {name} ({level}) of {', '.join(shown_as or members)}"
    return Command((*argv, *options, *members), why)


def assemble(name: str, members: Sequence[str], *, shown_as: Sequence[str] = ()) -> Command:
    """Start an existing array."""
    return Command(
        ("mdadm", "--assemble", device_of(name), "--homehost", "any", *members),
        f"assembling RAID array {name} of {', '.join(shown_as or members)}",
    )


def examine(member: str) -> Command:
    """Print the superblock of a device, if it has one."""
    return Command(
        ("mdadm", "--examine", "--export", member),
        f"examining the RAID member {member}",
        ok=(0, NO_SUPERBLOCK),
    )


def brief(name: str) -> Command:
    """Print the mdadm.conf line of a running array."""
    why = f"reading the mdadm.conf line of RAID array {name}"
    return Command(("mdadm", "--detail", "--brief", device_of(name)), why)


def parse_brief(ran: Ran, name: str) -> str:
    """Return the line that `brief` printed.

    Raises:
        IgnitionError: the output is not one ARRAY line.
    """
    lines = [line for line in ran.stdout.splitlines() if line.startswith("ARRAY ") and "UUID=" in line]
    if len(lines) != 1:
        raise IgnitionError(f"cannot parse mdadm's output about RAID array {name}")
    return lines[0]


def parse(ran: Ran, member: str) -> Superblock | None:
    """Parse the output of `examine`; None for a device without a superblock.

    Raises:
        IgnitionError: the output is invalid.
    """
    values = dict(line.split("=", 1) for line in ran.stdout.splitlines() if "=" in line)
    if ran.status == NO_SUPERBLOCK or "MD_LEVEL" not in values:
        return None
    try:
        return Superblock(
            level=values["MD_LEVEL"],
            devices=int(values["MD_DEVICES"]),
            name=values.get("MD_NAME", "").partition(":")[2] or values.get("MD_NAME", ""),
            uuid=values["MD_UUID"],
        )
    except (KeyError, ValueError) as error:
        raise IgnitionError(f"cannot parse mdadm's output about {member}") from error
