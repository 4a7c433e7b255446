# SPDX-License-Identifier: Apache-2.0
"""Read the facts about a disk that decide its partition table. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from ignition.host import View, blocks
from ignition.host.device_use import DevicesInUse, DeviceUse
from ignition.stages.disks.partitions.actions import seen_on
from ignition.stages.disks.partitions.layout import Extent
from ignition.tools import blkid, gpt

__all__ = ["DiskFacts", "look"]

KINDS: Final = {"dos": "an MBR partition table", "PMBR": "a GPT with both copies damaged"}
"""libblkid's name of a partition table → text for messages."""


@dataclass(frozen=True)
class DiskFacts:
    """Facts about one disk.

    Attributes:
        disk: node and size.
        alias: the path that programs are given.
        table: the existing GPT; an empty new one if there is none.
        has_table: whether a GPT exists.
        is_blank: whether the sectors of partition tables are all zero.
        unusable: text for an existing table that is no usable GPT ("an MBR partition table"), or "".
        in_use: how the disk itself is in use, or None.
        busy: partition number → why the partition is in use.
        seen: the partitions that the kernel sees; None for device-mapper disks.
        stale: device path of a partition to be created → the signature inside its extent, where relevant.
    """

    disk: blocks.Disk
    alias: str
    table: gpt.Table
    has_table: bool = False
    is_blank: bool = False
    unusable: str = ""
    in_use: DeviceUse | None = None
    busy: Mapping[int, DeviceUse] = field(default_factory=dict)
    seen: Mapping[int, Extent] | None = None
    stale: Mapping[str, blkid.Probe] = field(default_factory=dict)


def look(host: View, device: str, use: DevicesInUse) -> DiskFacts:
    """Read the facts about a disk, by its name in the config.

    Raises:
        IgnitionError: the device is not a disk, or is unreadable.
    """
    alias, node = host.devices.alias(device), host.devices.resolve(device)
    disk = blocks.disk(host.system, node)
    busy = {number: use.of(part.node) for number, part in blocks.partitions(host.system, node).items()}
    facts = DiskFacts(
        disk,
        alias,
        gpt.empty_table(disk.sector_size, disk.sectors),
        # Partitions of a device-mapper disk are holders of it themselves.
        in_use=use.of(node, held=not disk.mapper_name),
        busy={number: each for number, each in busy.items() if each},
        seen=None if disk.mapper_name else seen_on(host.system, disk),
    )
    return _read_table(host, facts)


def _read_table(host: View, facts: DiskFacts) -> DiskFacts:
    disk = facts.disk
    place = (partial(blocks.read, host.system, disk.node), disk.sector_size, disk.sectors)
    if gpt.is_blank(*place):
        return replace(facts, is_blank=True)
    if table := gpt.primary(*place):
        return replace(facts, table=table, has_table=True)
    # Not a valid GPT: libblkid identifies it, as for the reference.
    kind = _probe(host, facts.alias).table
    if kind == "gpt" and (table := gpt.backup(*place)):
        return replace(facts, table=table, has_table=True)
    if kind:
        return replace(facts, unusable=KINDS.get(kind, f"a partition table of type {kind}"))
    # libblkid and the kernel ignore a GPT without its protective MBR; programs that write tables do not.
    if gpt.has_header(*place):
        return replace(facts, unusable="the remains of a damaged GPT")
    return facts


def _probe(host: View, alias: str) -> blkid.Probe:
    command = blkid.probe(alias)
    return blkid.parse(command, host.run(command))
