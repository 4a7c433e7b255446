"""What is done to one disk, and why not: pure functions of the config and the disk's facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host.command import Command
from ignition.host.mounts import remedy
from ignition.schemas.storage import Disk
from ignition.stages.disks.partitions import match
from ignition.stages.disks.partitions.actions import ExpectPartitions, PartitionDisk
from ignition.stages.disks.partitions.layout import Extent, Misfit, in_mib
from ignition.stages.disks.partitions.match import Do, Wanted
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import gpt, sfdisk

__all__ = ["Change", "DiskChanges", "disk_changes"]


NUMBERED: Final = ("/dev/disk/by-id/", "/dev/disk/by-path/")
"""Links to disks that have others to partitions beside them. Source: udev's 60-persistent-storage.rules."""

WIPE_TABLE: Final = "set wipeTable: true to replace it, or name another disk"
FIT: Final = (
    "ask for less, or make room: delete partitions with shouldExist: false and wipePartitionEntry: true"
)
DELETE: Final = "set wipePartitionEntry: true to have it deleted"
REPLACE: Final = "set wipePartitionEntry: true to replace it, or correct the config"
RESIZE: Final = "set resize: true to change its size, or wipePartitionEntry: true to replace it"


@dataclass(frozen=True)
class Change:
    """One entry of the config and what is done about it.

    Attributes:
        wanted: the entry.
        do: the decision.
        extent: where it is or goes; None if it must not exist or does not fit.
        misfit: why it does not fit, if it does not.
        wrong: in what the partition that is there differs (`entries.differences`).
    """

    wanted: Wanted
    do: Do
    extent: Extent | None = None
    misfit: Misfit | None = None
    wrong: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether anything is written for it."""
        return self.do not in {Do.NOTHING, Do.KEEP}

    def partition(self) -> sfdisk.NewPartition:
        """The entry to be written."""
        assert self.extent is not None
        wanted = self.wanted
        return sfdisk.NewPartition(
            wanted.number, self.extent.start, self.extent.size, wanted.label, wanted.type_guid, wanted.guid
        )


@dataclass(frozen=True)
class DiskChanges:
    """Everything that is done to one disk.

    Attributes:
        device: what the config calls it.
        is_wiped: whether the config wants what is there wiped.
        is_new: whether a table is made, and not one changed.
        changes: one for each entry that counts.
    """

    path: ConfigPath
    device: str
    facts: DiskFacts
    is_wiped: bool
    is_new: bool
    changes: tuple[Change, ...]

    @property
    def numbers(self) -> frozenset[int]:
        """The partitions that are touched, or that the kernel has not seen since they were."""
        touched = {each.wanted.number for each in self.changes if each.is_active or self._is_unseen(each)}
        # With the old table the kernel's partitions go, unless they are in use: then this is refused.
        seen = self.facts.seen or {}
        return frozenset(touched | (seen.keys() - self.facts.busy.keys() if self.is_new else set()))

    def _is_unseen(self, change: Change) -> bool:
        """Whether the kernel has another idea of a partition that is kept: a run was interrupted."""
        number, seen = change.wanted.number, self.facts.seen
        if change.do is not Do.KEEP or seen is None or number in self.facts.busy:
            return False
        return seen.get(number) != change.extent

    @property
    def is_needed(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.numbers or self._zero())

    def refusals(self) -> Iterator[Refusal]:
        """All reasons not to do it."""
        facts = self.facts
        if facts.in_use and not facts.busy:
            yield Refusal(self.path, f"{self.device} is {facts.in_use}", remedy(facts.in_use))
        if facts.unusable and not self.is_wiped:
            yield Refusal(self.path, f"{self.device} has {facts.unusable}", WIPE_TABLE)
            return
        if self.is_wiped:
            for number, use in sorted(facts.busy.items()):
                reason = f"the partition table of {self.device} cannot be wiped: partition {number} is {use}"
                yield Refusal((*self.path, "wipeTable"), reason, remedy(use))
        for each in self.changes:
            yield from self._refusals(each)

    def _refusals(self, change: Change) -> Iterator[Refusal]:
        wanted = change.wanted
        name = f"partition {wanted.number} of {self.device}"
        if change.do is Do.REFUSE:
            yield _conflict(change, name, self.facts.disk.sector_size)
        elif change.misfit is not None:
            yield Refusal(
                wanted.path, f"{name} does not fit: {change.misfit.text(self.facts.disk.sector_size)}", FIT
            )
        elif change.is_active and wanted.number in self.facts.busy and not self.is_wiped:
            use = self.facts.busy[wanted.number]
            reason = f"{name} would be changed ({change.do.value}), and it is {use}"
            yield Refusal(wanted.path, reason, remedy(use))

    def keeps(self) -> Iterator[str]:
        """What is as the config says, a line each."""
        for each in self.changes:
            if each.do is Do.KEEP:
                yield f"partition {each.wanted.number} of {self.device} is as the config says"
            elif each.do is Do.NOTHING:
                yield f"partition {each.wanted.number} of {self.device} does not exist, as the config says"

    def write(self) -> PartitionDisk:
        """The action that does it."""
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
        """The check afterwards."""
        finished = self.finished()
        expected = {number: extent for number, extent in finished.items() if number in self.numbers}
        gone = self.numbers - finished.keys()
        return ExpectPartitions(self.path, self.device, self.facts.disk, gone, expected)

    def finished(self) -> dict[int, Extent]:
        """The partitions of the finished table."""
        there = () if self.is_new else self.facts.table.entries
        table = {entry.number: Extent(entry.start, entry.size) for entry in there}
        for each in self.changes:
            if each.do is Do.DELETE:
                table.pop(each.wanted.number, None)
            elif each.extent is not None:
                table[each.wanted.number] = each.extent
        return table

    def creates(self) -> Iterator[str]:
        """The device paths that exist afterwards and did not before."""
        for node, names, _ in self.made():
            yield from (node, *names)

    def made(self) -> Iterator[tuple[str, tuple[str, ...], Extent]]:
        """The partitions that are made: node, the other names that lead to it, and where it is."""
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

    def _doing(self, *what: Do) -> list[Change]:
        return [each for each in self.changes if each.do in what]

    def _zero(self) -> tuple[tuple[int, int], ...]:
        """What is overwritten: the sectors of MBR, GPT and the GPT's backup, as `sgdisk --zap-all` does."""
        if not self.is_wiped or self.facts.is_blank:
            return ()
        disk = self.facts.disk
        empty = gpt.new(disk.sector_size, disk.sectors)
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
    """Decide what is done to a disk."""
    is_wiped = disk.wipe_table is True
    is_new = is_wiped or not facts.has_table
    sector_size, sectors = facts.disk.sector_size, facts.disk.sectors
    table = gpt.new(sector_size, sectors) if is_new else facts.table
    wanted = match.resolve(disk, path, table, sector_size)
    places = match.places(wanted, table, sector_size, sectors)
    there = {entry.number: entry for entry in table.entries}
    staying = {each.number for each in wanted if each.should_exist}
    changes = tuple(
        _change(each, there.get(each.number), places.get(each.number) if each.should_exist else None)
        for each in wanted
        # An entry that is to go has made room for the one that took its number.
        if each.should_exist or each.number not in staying
    )
    return DiskChanges(path, disk.device, replace(facts, table=table), is_wiped, is_new, changes)


def _change(wanted: Wanted, there: gpt.Entry | None, place: Extent | Misfit | None) -> Change:
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
    return Change(wanted, do, extent, place if isinstance(place, Misfit) else None, wrong)


def _conflict(change: Change, name: str, sector_size: int) -> Refusal:
    """The refusal for a partition that is there and is not what the config says."""
    if not change.wanted.should_exist:
        return Refusal(change.wanted.path, f"{name} exists and should not", DELETE)
    fields = [field for field, _, _ in change.wrong]
    text = "; ".join(
        f"{field} is {_figure(field, there, sector_size)}, not {_figure(field, wanted, sector_size)}"
        for field, there, wanted in change.wrong
    )
    hint = RESIZE if fields == ["sizeMiB"] else REPLACE
    return Refusal(change.wanted.path, f"{name} is not as the config says: {text}", hint)


def _figure(field: str, value: str, sector_size: int) -> str:
    """Sectors as MiB; everything else as it is."""
    return in_mib(int(value) * sector_size) if field.endswith("MiB") else value
