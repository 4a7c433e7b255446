# SPDX-License-Identifier: Apache-2.0
"""Decide the changes of one disk's partition table, and the refusals: pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host.command import Command
from ignition.schemas.storage import Disk
from ignition.stages.disks.partitions import match
from ignition.stages.disks.partitions.actions import ExpectPartitions, PartitionDisk
from ignition.stages.disks.partitions.layout import Extent, Misfit, in_mib
from ignition.stages.disks.partitions.match import Do, WantedPartition
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import gpt, sfdisk

__all__ = ["DiskChanges", "PartitionChange", "disk_changes"]


NUMBERED: Final = ("/dev/disk/by-id/", "/dev/disk/by-path/")
"""Symlinks to disks with `-partN` siblings for partitions (udev's 60-persistent-storage.rules)."""

WIPE_TABLE: Final = "set wipeTable: true to replace it, or change the device"
FIT: Final = "reduce sizeMiB, or delete partitions with shouldExist: false and wipePartitionEntry: true"
DELETE: Final = "set wipePartitionEntry: true to delete it"
REPLACE: Final = "set wipePartitionEntry: true to replace it, or correct the config"
RESIZE: Final = "set resize: true to change its size, or wipePartitionEntry: true to replace it"


@dataclass(frozen=True)
class PartitionChange:
    """The change for one entry of the config.

    Attributes:
        wanted: the entry.
        do: the decision.
        extent: the sectors of the partition; None if it must not exist or does not fit.
        misfit: why it does not fit, or None.
        wrong: the mismatches of the existing partition (`match.differences`).
    """

    wanted: WantedPartition
    do: Do
    extent: Extent | None = None
    misfit: Misfit | None = None
    wrong: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether anything is written for the entry."""
        return self.do not in {Do.NOTHING, Do.KEEP}

    def partition(self) -> sfdisk.NewPartition:
        """Return the partition to be written."""
        assert self.extent is not None
        wanted = self.wanted
        return sfdisk.NewPartition(
            wanted.number, self.extent.start, self.extent.size, wanted.label, wanted.type_guid, wanted.guid
        )


@dataclass(frozen=True)
class DiskChanges:
    """The changes of one disk.

    Attributes:
        device: its path in the config.
        is_wiped: whether `wipeTable` is set.
        is_new: whether a new table is written instead of changing an existing one.
        changes: one for each relevant entry.
    """

    path: ConfigPath
    device: str
    facts: DiskFacts
    is_wiped: bool
    is_new: bool
    changes: tuple[PartitionChange, ...]

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of changed partitions, and of those that the kernel sees with other sectors."""
        touched = {each.wanted.number for each in self.changes if each.is_active or self._is_unseen(each)}
        # A new table removes all partitions that the kernel sees; those in use are refused.
        seen = self.facts.seen or {}
        return frozenset(touched | (seen.keys() - self.facts.busy.keys() if self.is_new else set()))

    def _is_unseen(self, change: PartitionChange) -> bool:
        """Whether the kernel sees other sectors of a kept partition, after an interrupted run."""
        number, seen = change.wanted.number, self.facts.seen
        if change.do is not Do.KEEP or seen is None or number in self.facts.busy:
            return False
        return seen.get(number) != change.extent

    @property
    def is_needed(self) -> bool:
        return bool(self.numbers or self._zero())

    def refusals(self) -> Iterator[Refusal]:
        """Yield all refusals."""
        facts = self.facts
        if facts.in_use and not facts.busy:
            reason = f"cannot partition {self.device}: in use ({facts.in_use.describe()})"
            yield Refusal(self.path, reason, facts.in_use.hint())
        if facts.unusable and not self.is_wiped:
            yield Refusal(self.path, f"{self.device} has {facts.unusable}", WIPE_TABLE)
            return
        if self.is_wiped:
            for number, use in sorted(facts.busy.items()):
                reason = (
                    f"cannot wipe the partition table of {self.device}:"
                    f" partition {number} is in use ({use.describe()})"
                )
                yield Refusal((*self.path, "wipeTable"), reason, use.hint())
        for each in self.changes:
            yield from self._refusals(each)

    def _refusals(self, change: PartitionChange) -> Iterator[Refusal]:
        wanted = change.wanted
        name = f"partition {wanted.number} of {self.device}"
        if change.do is Do.REFUSE:
            yield _conflict(change, name, self.facts.disk.sector_size)
        elif change.misfit is not None:
            yield Refusal(
                wanted.path, f"cannot create {name}: {change.misfit.text(self.facts.disk.sector_size)}", FIT
            )
        elif change.is_active and wanted.number in self.facts.busy and not self.is_wiped:
            use = self.facts.busy[wanted.number]
            reason = f"cannot {change.do.value} {name}: in use ({use.describe()})"
            yield Refusal(wanted.path, reason, use.hint())

    def keeps(self) -> Iterator[str]:
        """Yield one line for each partition that needs no change."""
        for each in self.changes:
            if each.do is Do.KEEP:
                yield f"partition {each.wanted.number} of {self.device} matches the config"
            elif each.do is Do.NOTHING:
                yield f"partition {each.wanted.number} of {self.device} is absent, as configured"

    def write(self) -> PartitionDisk:
        """Return the action that writes the table."""
        return PartitionDisk(
            path=self.path,
            device=self.device,
            disk=self.facts.disk,
            zero=self._zero(),
            commands=tuple(self._commands()),
            touched=self.numbers,
            expected=self.finished(),
        )

    def expect(self) -> ExpectPartitions:
        """Return the action that checks the result."""
        finished = self.finished()
        expected = {number: extent for number, extent in finished.items() if number in self.numbers}
        gone = self.numbers - finished.keys()
        return ExpectPartitions(self.path, self.device, self.facts.disk, gone, expected)

    def finished(self) -> dict[int, Extent]:
        """Return the partitions of the finished table by number."""
        there = () if self.is_new else self.facts.table.entries
        table = {entry.number: Extent(entry.start, entry.size) for entry in there}
        for each in self.changes:
            if each.do is Do.DELETE:
                table.pop(each.wanted.number, None)
            elif each.extent is not None:
                table[each.wanted.number] = each.extent
        return table

    def creates(self) -> Iterator[str]:
        """Yield the device paths of created partitions."""
        for node, names, _ in self.made():
            yield from (node, *names)

    def made(self) -> Iterator[tuple[str, tuple[str, ...], Extent]]:
        """Yield the created partitions: kernel node, symlinks to it, extent."""
        mapper_name = self.facts.disk.mapper_name
        disk = f"/dev/mapper/{mapper_name}p" if mapper_name else self.facts.disk.node
        for each in self._doing(Do.CREATE, Do.REPLACE):
            if each.extent is not None:
                node = f"{disk}{'p' if disk[-1].isdigit() else ''}{each.wanted.number}"
                label, guid = each.wanted.label, each.wanted.guid
                names = [f"/dev/disk/by-partlabel/{label}"] if label else []
                names += [f"/dev/disk/by-partuuid/{guid}"] if guid else []
                if self.device.startswith(NUMBERED):
                    names.append(f"{self.device}-part{each.wanted.number}")
                yield node, tuple(names), each.extent

    def _doing(self, *what: Do) -> list[PartitionChange]:
        return [each for each in self.changes if each.do in what]

    def _zero(self) -> tuple[tuple[int, int], ...]:
        """Return the byte ranges of MBR, GPT and backup GPT, which `sgdisk --zap-all` overwrites too."""
        if not self.is_wiped or self.facts.is_blank:
            return ()
        disk = self.facts.disk
        empty = gpt.empty_table(disk.sector_size, disk.sectors)
        tail = empty.last_usable + 1
        ranges = ((0, empty.first_usable), (tail, disk.sectors - tail))
        return tuple((start * disk.sector_size, count * disk.sector_size) for start, count in ranges)

    def _commands(self) -> Iterator[Command]:
        made = [each.partition() for each in self._doing(Do.CREATE, Do.REPLACE)]
        alias = self.facts.alias
        if self.is_new:
            if made:
                yield sfdisk.create(alias, self.facts.table.first_usable, made, shown_as=self.device)
            return
        if gone := [each.wanted.number for each in self._doing(Do.DELETE, Do.REPLACE)]:
            yield sfdisk.delete(alias, gone, shown_as=self.device)
        for each in self._doing(Do.RESIZE):
            assert each.extent is not None
            yield sfdisk.resize(alias, each.wanted.number, each.extent.size, shown_as=self.device)
        if made:
            yield sfdisk.append(alias, made, shown_as=self.device)


def disk_changes(disk: Disk, path: ConfigPath, facts: DiskFacts) -> DiskChanges:
    """Decide the changes of a disk."""
    is_wiped = disk.wipe_table is True
    is_new = is_wiped or not facts.has_table
    sector_size, sectors = facts.disk.sector_size, facts.disk.sectors
    table = gpt.empty_table(sector_size, sectors) if is_new else facts.table
    wanted = match.resolve(disk, path, table, sector_size)
    places = match.places(wanted, table, sector_size, sectors)
    there = {entry.number: entry for entry in table.entries}
    staying = {each.number for each in wanted if each.should_exist}
    changes = tuple(
        _change(each, there.get(each.number), places.get(each.number) if each.should_exist else None)
        for each in wanted
        # An entry whose partition is deleted may have given its number to another entry.
        if each.should_exist or each.number not in staying
    )
    return DiskChanges(path, disk.device, replace(facts, table=table), is_wiped, is_new, changes)


def _change(
    wanted: WantedPartition, there: gpt.Entry | None, place: Extent | Misfit | None
) -> PartitionChange:
    extent = place if isinstance(place, Extent) else None
    wrong = tuple(match.differences(wanted, there, extent)) if there and wanted.should_exist else ()
    do = match.decide(
        exists=there is not None,
        should_exist=wanted.should_exist,
        wipe=wanted.wipe,
        resize=wanted.resize,
        matches=not wrong,
        only_size_differs=[field for field, _, _ in wrong] == ["sizeMiB"],
    )
    return PartitionChange(wanted, do, extent, place if isinstance(place, Misfit) else None, wrong)


def _conflict(change: PartitionChange, name: str, sector_size: int) -> Refusal:
    """Return the refusal of an existing partition that does not match the config."""
    if not change.wanted.should_exist:
        return Refusal(change.wanted.path, f"{name} exists, but shouldExist is false", DELETE)
    fields = [field for field, _, _ in change.wrong]
    text = "; ".join(
        f"{field} is {_figure(field, there, sector_size)}, want {_figure(field, wanted, sector_size)}"
        for field, there, wanted in change.wrong
    )
    hint = RESIZE if fields == ["sizeMiB"] else REPLACE
    return Refusal(change.wanted.path, f"existing {name} does not match the config: {text}", hint)


def _figure(field: str, value: str, sector_size: int) -> str:
    """Format sectors as MiB; return other values unchanged."""
    return in_mib(int(value) * sector_size) if field.endswith("MiB") else value
