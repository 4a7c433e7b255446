"""What the config wants of one disk's partition table, entry by entry: pure functions.

First the entries get their numbers and their sectors (`resolve`), then each is
compared with what is there (`differences`) and decided (`decide`). Rules:
engine.md 9.3.1.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ignition.configpath import ConfigPath
from ignition.schemas.storage import Disk, Partition
from ignition.stages.disks.partitions.layout import MIB, Extent, Misfit, Request, Space, alignment, lay_out
from ignition.tools import gpt

__all__ = ["Do", "Wanted", "decide", "differences", "places", "resolve"]


class Do(enum.Enum):
    """What to do about one entry of the config."""

    NOTHING = "nothing"
    KEEP = "keep"
    CREATE = "create"
    DELETE = "delete"
    RESIZE = "resize"
    REPLACE = "replace"
    REFUSE = "refuse"


def decide(
    *, exists: bool, should_exist: bool, wipe: bool, resize: bool, matches: bool, only_size_differs: bool
) -> Do:
    """The decision for one entry.

    Args:
        exists: there is a partition with its number.
        should_exist: its `shouldExist`.
        wipe: its `wipePartitionEntry`.
        resize: its `resize`.
        matches: the partition is as the entry says.
        only_size_differs: it is, but for the size.
    """
    match exists, should_exist:
        case False, False:
            return Do.NOTHING
        case False, True:
            return Do.CREATE
        case True, False:
            return Do.DELETE if wipe else Do.REFUSE
    if matches:
        return Do.KEEP
    if wipe:
        return Do.REPLACE
    return Do.RESIZE if resize and only_size_differs else Do.REFUSE


@dataclass(frozen=True)
class Wanted:
    """An entry of the config with its number found and its figures in sectors.

    Attributes:
        path: where in the config it stands.
        number: never 0.
        start: None if the config says nothing; 0 to have it chosen.
        size: likewise.
    """

    path: ConfigPath
    number: int
    should_exist: bool
    wipe: bool
    resize: bool
    start: int | None
    size: int | None
    label: str | None
    type_guid: str
    guid: str


def resolve(disk: Disk, path: ConfigPath, table: gpt.Table, sector_size: int) -> tuple[Wanted, ...]:
    """The entries in the order in which they are dealt with: those without a number last.

    An entry without a number gets the lowest one that is neither on the disk nor in
    the config; numbers that the config wants gone are free. But if there is a
    partition with its label which fits it in everything else the config says, that is
    the one it means: the first run made it, and a second run must not make another.
    (The reference does; see docs/compatibility.md.)
    """
    entries = [
        _wanted(entry, (*path, "partitions", index), sector_size)
        for index, entry in enumerate(disk.partitions)
    ]
    numbered = [entry for entry in entries if entry.number]
    claimed = {entry.number for entry in numbered}
    unwanted = {entry.number for entry in numbered if not entry.should_exist}
    on_disk = {entry.number for entry in table.entries}
    found = []
    for entry in entries:
        if entry.number:
            continue
        same = _namesake(entry, table, claimed)
        if same is not None:
            # As for any partition that is kept, what the config leaves open is what it is.
            kept = replace(entry, number=same, start=entry.start or None, size=entry.size or None, wipe=False)
            found.append(kept)
        else:
            taken = (on_disk | claimed) - unwanted
            number = next(each for each in range(1, len(taken) + 2) if each not in taken)
            found.append(replace(entry, number=number))
            unwanted.discard(number)
        claimed.add(found[-1].number)
    return (*numbered, *found)


def _wanted(entry: Partition, path: ConfigPath, sector_size: int) -> Wanted:
    per_mib = MIB // sector_size
    return Wanted(
        path=path,
        number=entry.number,
        should_exist=entry.should_exist is not False,
        wipe=entry.wipe_partition_entry is True,
        resize=entry.resize is True,
        start=None if entry.start_mib is None else entry.start_mib * per_mib,
        size=None if entry.size_mib is None else entry.size_mib * per_mib,
        label=entry.label,
        type_guid=(entry.type_guid or "").lower(),
        guid=(entry.guid or "").lower(),
    )


def _namesake(entry: Wanted, table: gpt.Table, claimed: set[int]) -> int | None:
    for there in table.entries:
        is_free = bool(entry.label) and entry.label == there.label and there.number not in claimed
        if is_free and not any(differences(entry, there, None)):
            return there.number
    return None


def places(
    wanted: tuple[Wanted, ...], table: gpt.Table, sector_size: int, sectors: int
) -> Mapping[int, Extent | Misfit]:
    """Where each wanted partition is or goes, by number, as if all of them were made anew.

    What the config does not say of a partition that is there and not to be wiped, is
    as it is on the disk.
    """
    there = {entry.number: Extent(entry.start, entry.size) for entry in table.entries}
    grid = alignment((extent.start for extent in there.values()), sector_size, sectors)
    space = Space(table.first_usable, table.last_usable, grid, table.capacity)
    named = {entry.number for entry in wanted}
    stay = {number: extent for number, extent in there.items() if number not in named}
    requests = [_request(entry, there.get(entry.number)) for entry in wanted if entry.should_exist]
    return lay_out(space, stay, requests)


def _request(entry: Wanted, there: Extent | None) -> Request:
    start, size = entry.start, entry.size
    if there is not None and not entry.wipe:
        start = there.start if start is None else start
        size = there.size if size is None else size
    return Request(entry.number, start or 0, size or 0)


def differences(wanted: Wanted, there: gpt.Entry, extent: Extent | None) -> Iterator[tuple[str, str, str]]:
    """In what a partition is not as the config says: (field, is, should be), size last.

    Without an `extent` start and size are compared only if the config gives them.
    """
    if wanted.label is not None and wanted.label != there.label:
        yield "label", f'"{there.label}"', f'"{wanted.label}"'
    if wanted.type_guid and wanted.type_guid != there.type_guid:
        yield "typeGuid", there.type_guid, wanted.type_guid
    if wanted.guid and wanted.guid != there.guid:
        yield "guid", there.guid, wanted.guid
    start = extent.start if extent else wanted.start or there.start
    size = extent.size if extent else wanted.size or there.size
    if start != there.start:
        yield "startMiB", str(there.start), str(start)
    if size != there.size:
        yield "sizeMiB", str(there.size), str(size)
