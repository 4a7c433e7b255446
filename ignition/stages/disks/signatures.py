"""What is on devices, as libblkid sees it: one call of wipefs for all, a closer look only where needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from ignition.host import Host, Run, blocks
from ignition.host.command import Command, Ran
from ignition.tools import blkid, wipefs

__all__ = ["ENCRYPTED", "MEMBER", "NOTHING", "Place", "ask_under", "found", "listed", "under"]

ENCRYPTED: Final = "crypto_LUKS"
MEMBER: Final = "linux_raid_member"
"""What libblkid calls an encrypted volume, and a member of an array."""

NOTHING = wipefs.Signature("")

Place = tuple[str, int, int]
"""A part of a disk: the node of the disk; offset and size in bytes."""

NULL: Final = bytes(256 << 10)
PLACES: Final = ((0, 256 << 10), (1 << 20, 4 << 10), (-(128 << 10), 128 << 10))
"""Where libblkid looks for signatures (offset, length): the head, VMFS at 1 MiB, the tail."""


def listed(host: Host, nodes: Collection[str]) -> Mapping[str, tuple[wipefs.Signature, ...]]:
    """All signatures on the devices, also those that libblkid would not take for any, in one call."""
    return wipefs.parse(host.run(wipefs.show(nodes)).stdout, nodes)


def found(host: Host, alias: str, signatures: Sequence[wipefs.Signature]) -> wipefs.Signature | None:
    """The signature that counts, `NOTHING` if there is none, `None` if libblkid finds several.

    Partition tables do not count.
    """
    if all(each.is_table for each in signatures):
        return NOTHING
    command = blkid.probe(alias)
    probe = blkid.parse(command, host.run(command))
    return None if probe.is_ambivalent else wipefs.Signature(probe.format, probe.label, probe.uuid)


def under(run: Run, system: str, place: Place) -> blkid.Probe:
    """What lies in a part of a disk where no partition is yet."""
    return blkid.parse(_probe(place), ask_under(run, system, place))


def ask_under(run: Run, system: str, place: Place) -> Ran:
    """As `under`, in blkid's own words."""
    # Looking first saves a process for each of many partitions of new disks.
    return Ran(blkid.NOTHING) if _is_blank(system, place) else run(_probe(place))


def _probe(place: Place) -> Command:
    disk, offset, size = place
    return blkid.probe(disk, within=(offset, size))


def _is_blank(system: str, place: Place) -> bool:
    """Whether there are only zeros wherever a signature could be."""
    disk, offset, size = place
    for start, length in PLACES:
        within = start % size if start < 0 else start
        if within < size:
            data = blocks.read(system, disk, offset + within, min(length, size - within))
            if data != NULL[: len(data)]:
                return False
    return True
