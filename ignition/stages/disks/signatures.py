# SPDX-License-Identifier: Apache-2.0
"""Signatures on devices as libblkid finds them: one wipefs call for all, blkid only where needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from ignition.host import Run, View, blocks
from ignition.host.command import Command, Ran
from ignition.tools import blkid, wipefs

__all__ = ["ENCRYPTED", "MEMBER", "NOTHING", "Place", "ask_under", "found", "listed", "under"]

ENCRYPTED: Final = "crypto_LUKS"
MEMBER: Final = "linux_raid_member"
"""libblkid's names of a LUKS volume and a RAID member."""

NOTHING = wipefs.Signature("")

Place = tuple[str, int, int]
"""A region of a disk: the disk's node, offset and size in bytes."""

NULL: Final = bytes(256 << 10)
PLACES: Final = ((0, 256 << 10), (1 << 20, 4 << 10), (-(128 << 10), 128 << 10))
"""The regions that libblkid searches (offset, length; bytes): the head, VMFS at 1 MiB, the tail."""


def listed(host: View, nodes: Collection[str]) -> Mapping[str, tuple[wipefs.Signature, ...]]:
    """List all signatures on the devices with one wipefs call, also those that blkid ignores."""
    return wipefs.parse(host.run(wipefs.show(nodes)).stdout, nodes)


def found(host: View, alias: str, signatures: Sequence[wipefs.Signature]) -> wipefs.Signature | None:
    """Return the signature of a device, `NOTHING` if there is none, None if libblkid finds several.

    Partition tables do not count.
    """
    if all(each.is_table for each in signatures):
        return NOTHING
    command = blkid.probe(alias)
    probe = blkid.parse(command, host.run(command))
    return None if probe.is_ambivalent else wipefs.Signature(probe.format, probe.label, probe.uuid)


def under(run: Run, system: str, place: Place) -> blkid.Probe:
    """Probe a region of a disk that has no partition yet."""
    return blkid.parse(_probe(place), ask_under(run, system, place))


def ask_under(run: Run, system: str, place: Place) -> Ran:
    """Return blkid's output for a region of a disk."""
    # Reading first saves a process for each of many partitions of new disks.
    return Ran(blkid.NOTHING) if _is_blank(system, place) else run(_probe(place))


def _probe(place: Place) -> Command:
    disk, offset, size = place
    return blkid.probe(disk, within=(offset, size))


def _is_blank(system: str, place: Place) -> bool:
    """Whether all regions that may contain a signature are zero."""
    disk, offset, size = place
    for start, length in PLACES:
        within = start % size if start < 0 else start
        if within < size:
            data = blocks.read(system, disk, offset + within, min(length, size - within))
            if data != NULL[: len(data)]:
                return False
    return True
