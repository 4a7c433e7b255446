"""What has to be known of a disk before its partition table is decided upon. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from ignition.host import Host, blocks
from ignition.host.mounts import Use
from ignition.stages.disks.partitions.actions import seen_on
from ignition.stages.disks.partitions.layout import Extent
from ignition.tools import blkid, gpt

__all__ = ["DiskFacts", "look"]

KINDS: Final = {"dos": "an MBR partition table", "PMBR": "a GPT of which both copies are damaged"}
"""libblkid's words for partition tables → ours."""


@dataclass(frozen=True)
class DiskFacts:
    """One disk.

    Attributes:
        disk: node and size.
        alias: the path that programs are given.
        table: the table that is there; an empty new one if there is none.
        has_table: whether there is one.
        is_blank: whether there is nothing at all where a table could be.
        unusable: why what is there is no table to work with ("an MBR partition table"), or "".
        in_use: why the disk itself is in use, or "".
        busy: why partitions are in use, by number.
        seen: the partitions that the kernel sees; None for a disk of which it sees none itself.
        lying: device path of a partition that will be made → what lies in its place, as far as that matters.
    """

    disk: blocks.Disk
    alias: str
    table: gpt.Table
    has_table: bool = False
    is_blank: bool = False
    unusable: str = ""
    in_use: str = ""
    busy: Mapping[int, str] = field(default_factory=dict)
    seen: Mapping[int, Extent] | None = None
    lying: Mapping[str, blkid.Probe] = field(default_factory=dict)


def look(host: Host, device: str, use: Use) -> DiskFacts:
    """Look at a disk, by the name that the config gives it.

    Raises:
        IgnitionError: it is no disk, or cannot be read.
    """
    alias, node = host.devices.alias(device), host.devices.resolve(device)
    disk = blocks.disk(host.system, node)
    busy = {number: use.of(part.node) for number, part in blocks.partitions(host.system, node).items()}
    facts = DiskFacts(
        disk,
        alias,
        gpt.new(disk.sector_size, disk.sectors),
        # The partitions of a device-mapper disk are themselves devices that are built on it.
        in_use=use.of(node, held=not disk.mapper_name),
        busy={number: reason for number, reason in busy.items() if reason},
        seen=None if disk.mapper_name else seen_on(host.system, disk),
    )
    return _read_table(host, facts)


def _read_table(host: Host, facts: DiskFacts) -> DiskFacts:
    disk = facts.disk
    place = (partial(blocks.read, host.system, disk.node), disk.sector_size, disk.sectors)
    if gpt.is_blank(*place):
        return replace(facts, is_blank=True)
    if table := gpt.primary(*place):
        return replace(facts, table=table, has_table=True)
    # There is something, and it is not a sound GPT: what it is, libblkid has to say, as for the reference.
    kind = _probe(host, facts.alias).table
    if kind == "gpt" and (table := gpt.backup(*place)):
        return replace(facts, table=table, has_table=True)
    if kind:
        return replace(facts, unusable=KINDS.get(kind, f"a partition table of type {kind}"))
    # libblkid and the kernel see no GPT without its protective MBR, programs that write tables do.
    if gpt.traces(*place):
        return replace(facts, unusable="the remains of a damaged GPT")
    return facts


def _probe(host: Host, alias: str) -> blkid.Probe:
    command = blkid.probe(alias)
    return blkid.parse(command, host.run(command))
