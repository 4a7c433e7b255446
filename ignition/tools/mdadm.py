"""mdadm: makes and starts software RAID arrays, and reads what their members say of them.

Order and spelling of the options: engine.md 9.3.2. `--homehost any` makes the array at home on
whatever host name the machine will have, so that udev's rules give it its own name everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.command import Command, Ran

__all__ = [
    "LEVELS", "Superblock", "assemble", "brief", "create", "device_of", "examine", "listed", "parse",
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
"""Other words for levels → the one that mdadm itself prints. Source: mdadm(8), `--level`."""


@dataclass(frozen=True)
class Superblock:
    """What a member says of its array.

    Attributes:
        level: as mdadm prints it: `raid1`.
        devices: how many devices the array has, spares not counted.
        name: its name, without the host's; "" for metadata that has none.
        uuid: the array's UUID.
    """

    level: str
    devices: int
    name: str
    uuid: str


def device_of(name: str) -> str:
    """The device of an array that is created with this name."""
    return name if name.startswith("/dev") else f"/dev/md/{name}"


def recorded_name(name: str) -> str:
    """What mdadm writes into the members for an array created with this name.

    The last part of a path; of the kernel's own names, what stands behind `md`: `/dev/md0` → `0`.
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
    """Make an array and start it, whatever is on its members.

    It is called by the path of its device: mdadm takes a bare name for a file below the current directory,
    if there is one, and in an initramfs there are `root` and `run`. What it records is the same.

    Args:
        name: its name, or the path of its device.
        level: a word for its level.
        members: paths of its members, the last ones being spares.
        spares: how many of them are.
        options: further options.
        shown_as: what the log calls the members.
    """
    argv = ["mdadm", "--create", device_of(name), "--force", "--run", "--homehost", "any", "--level", level]
    argv += ["--raid-devices", str(len(members) - spares)]
    if spares > 0:
        argv += ["--spare-devices", str(spares)]
    why = f"creating the array {name} ({level}) of {', '.join(shown_as or members)}"
    return Command((*argv, *options, *members), why)


def assemble(name: str, members: Sequence[str], *, shown_as: Sequence[str] = ()) -> Command:
    """Start an array that is there."""
    return Command(
        ("mdadm", "--assemble", device_of(name), "--homehost", "any", *members),
        f"starting the array {name} of {', '.join(shown_as or members)}",
    )


def examine(member: str) -> Command:
    """Print what a device says of the array that it belongs to, if it does."""
    return Command(
        ("mdadm", "--examine", "--export", member),
        f"looking which array {member} belongs to",
        ok=(0, NO_SUPERBLOCK),
    )


def brief(name: str) -> Command:
    """Print the line by which mdadm's own file lists a running array."""
    device = device_of(name)
    return Command(("mdadm", "--detail", "--brief", device), f"asking how the array {name} is listed")


def listed(ran: Ran, name: str) -> str:
    """The answer of `brief`.

    Raises:
        IgnitionError: it is no such line.
    """
    lines = [line for line in ran.stdout.splitlines() if line.startswith("ARRAY ") and "UUID=" in line]
    if len(lines) != 1:
        raise IgnitionError(f"what mdadm says about the array {name} cannot be understood")
    return lines[0]


def parse(ran: Ran, member: str) -> Superblock | None:
    """The answer of `examine`; `None` for a device that belongs to no array.

    Raises:
        IgnitionError: it cannot be understood.
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
        raise IgnitionError(f"what mdadm says about {member} cannot be understood") from error
