# SPDX-License-Identifier: Apache-2.0
"""Match the config's partition entries with one disk's partition table: pure functions.

`resolve` assigns numbers and sectors to the entries, `differences` compares each with the existing partition,
and `decide` chooses what is done. Rules: docs/reference/stages.md, "disks stage: partitions".
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ignition.configpath import ConfigPath
from ignition.schemas.storage import Disk, Partition
from ignition.stages.disks.partitions.layout import MIB, Extent, Misfit, Request, Space, alignment, lay_out
from ignition.tools import gpt

__all__ = ["Do", "WantedPartition", "decide", "differences", "places", "resolve"]


class Do(enum.Enum):
    """The decision for one entry of the config."""

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
    """Decide what is done for one entry.

    Args:
        exists: whether a partition with its number exists.
        should_exist: its `shouldExist`.
        wipe: its `wipePartitionEntry`.
        resize: its `resize`.
        matches: whether the existing partition matches the entry.
        only_size_differs: whether nothing but the size differs.
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
class WantedPartition:
    """An entry of the config with a number, start and size in sectors.

    Attributes:
        path: the entry's path in the config.
        number: the partition number, never 0.
        start: the first sector; None if not configured; 0 to choose one.
        size: the number of sectors; None and 0 as for `start`.
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


def resolve(disk: Disk, path: ConfigPath, table: gpt.Table, sector_size: int) -> tuple[WantedPartition, ...]:
    """Return the entries in the order in which they are handled: those without a number last.

    An entry without a number gets the lowest number that is neither on the disk nor in the config; numbers
    of partitions that the config deletes are free. But an existing partition that has its label and matches
    it in everything else is the one that it means: the first run created it, and a second run must not
    create another one. (The reference does; see docs/compatibility.md.)
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
        same = _find_by_label(entry, table, claimed)
        if same is not None:
            # A kept partition keeps start and size that are not configured.
            kept = replace(entry, number=same, start=entry.start or None, size=entry.size or None, wipe=False)
            found.append(kept)
        else:
            taken = (on_disk | claimed) - unwanted
            number = next(each for each in range(1, len(taken) + 2) if each not in taken)
            found.append(replace(entry, number=number))
            unwanted.discard(number)
        claimed.add(found[-1].number)
    return (*numbered, *found)


def _wanted(entry: Partition, path: ConfigPath, sector_size: int) -> WantedPartition:
    per_mib = MIB // sector_size
    return WantedPartition(
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


def _find_by_label(entry: WantedPartition, table: gpt.Table, claimed: set[int]) -> int | None:
    for there in table.entries:
        is_free = bool(entry.label) and entry.label == there.label and there.number not in claimed
        if is_free and not any(differences(entry, there, None)):
            return there.number
    return None


def places(
    wanted: tuple[WantedPartition, ...], table: gpt.Table, sector_size: int, sectors: int
) -> Mapping[int, Extent | Misfit]:
    """Return the extent of each wanted partition by number, as if all of them were created.

    Start and size that are not configured are those of the existing partition, unless it is wiped.
    """
    there = {entry.number: Extent(entry.start, entry.size) for entry in table.entries}
    grid = alignment((extent.start for extent in there.values()), sector_size, sectors)
    space = Space(table.first_usable, table.last_usable, grid, table.capacity)
    named = {entry.number for entry in wanted}
    stay = {number: extent for number, extent in there.items() if number not in named}
    requests = [_request(entry, there.get(entry.number)) for entry in wanted if entry.should_exist]
    return lay_out(space, stay, requests)


def _request(entry: WantedPartition, there: Extent | None) -> Request:
    start, size = entry.start, entry.size
    if there is not None and not entry.wipe:
        start = there.start if start is None else start
        size = there.size if size is None else size
    return Request(entry.number, start or 0, size or 0)


def differences(
    wanted: WantedPartition, there: gpt.Entry, extent: Extent | None
) -> Iterator[tuple[str, str, str]]:
    """Yield each mismatch of a partition: (field, found, wanted), size last.

    Without an `extent`, start and size are compared only if they are configured.
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
