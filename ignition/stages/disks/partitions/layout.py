# SPDX-License-Identifier: Apache-2.0
"""Lay out new partitions with the rules of sgdisk, as a pure function.

The reference runs `sgdisk --pretend` and parses its output. The rules are few (docs/reference/stages.md,
"disks stage: partitions"; confirmed with sgdisk 1.0.9), so they are implemented here without a process; a
property test compares them with the program over random tables.

- Requests are handled in order; each one sees the extents of those before it.
- Start 0 means the start of the largest free block (the first of equal ones), aligned to the grid if the
  aligned sector is inside the block.
- Size 0 means up to the end of the largest free block, so a given start must be inside that block.
- A size that does not fit is an error; it is never reduced.
- Given starts are not moved. (sgdisk aligns them. Config values are whole MiB and therefore aligned; the
  start of an existing partition is kept.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["MIB", "Extent", "Misfit", "Request", "Space", "alignment", "in_mib", "lay_out"]

MIB: Final = 1 << 20
AF_ALIGNMENT: Final = 8
"""sgdisk's smallest grid, in sectors, for disks that may have 4096-byte physical sectors."""
AF_SECTORS: Final = 585937500
"""Sectors from which a disk may have them (300 GB with 512-byte sectors)."""


@dataclass(frozen=True)
class Extent:
    """A run of sectors; never empty."""

    start: int
    size: int

    @property
    def last(self) -> int:
        return self.start + self.size - 1


@dataclass(frozen=True)
class Space:
    """The space for partitions on a disk.

    Attributes:
        first: the first usable sector.
        last: the last usable sector.
        alignment: the alignment grid, in sectors.
        capacity: the highest partition number.
    """

    first: int
    last: int
    alignment: int
    capacity: int


@dataclass(frozen=True)
class Request:
    """A partition to be placed; 0 for a start or size to be chosen."""

    number: int
    start: int = 0
    size: int = 0


@dataclass(frozen=True)
class Misfit:
    """The reason why a partition cannot be placed.

    Attributes:
        reason: the text, with `{n}` for the n-th figure.
        sectors: the figures, in sectors.
    """

    reason: str
    sectors: tuple[int, ...] = ()

    def text(self, sector_size: int) -> str:
        """Return the reason with its figures in MiB."""
        return self.reason.format(*(in_mib(count * sector_size) for count in self.sectors))


def alignment(starts: Iterable[int], sector_size: int, sectors: int) -> int:
    """Return the grid for a disk with partitions at `starts`: 1 MiB, or the largest fitting power of two."""
    grid = MIB // sector_size
    for start in starts:
        while start % grid:
            grid //= 2
    return AF_ALIGNMENT if grid < AF_ALIGNMENT and sectors >= AF_SECTORS else grid


def lay_out(
    space: Space, taken: Mapping[int, Extent], requests: Iterable[Request]
) -> dict[int, Extent | Misfit]:
    """Place all requests; `taken` maps the numbers of existing partitions to their extents.

    A request that cannot be placed takes no space; later requests are still placed.
    """
    used = dict(taken)
    placed: dict[int, Extent | Misfit] = {}
    for request in requests:
        answer = _place(space, used, request)
        placed[request.number] = answer
        if isinstance(answer, Extent):
            used[request.number] = answer
    return placed


def _place(space: Space, used: Mapping[int, Extent], request: Request) -> Extent | Misfit:
    if request.number > space.capacity:
        return Misfit(f"the partition table has room for {space.capacity} partitions")
    if request.number in used:
        return Misfit(f"partition {request.number} exists already")
    free = _free(space, used.values())
    largest = max(free, key=lambda block: block.size, default=None)
    if largest is None:
        return Misfit("no free space on the disk")
    start = request.start or _aligned(largest, space.alignment)
    if request.size == 0 and not largest.start <= start <= largest.last:
        return Misfit(
            "without a size it extends to the end of the largest free block, but its start is outside that "
            "block ({0} at {1})",
            (largest.size, largest.start),
        )
    wanted = Extent(start, request.size or largest.last - start + 1)
    around = next((block for block in free if block.start <= start <= block.last), None)
    if around is None:
        return Misfit("its start at {0} is not free" + _owner(used, start, space), (start,))
    if wanted.last > around.last:
        return _too_long(wanted, around, largest)
    return wanted


def _free(space: Space, used: Iterable[Extent]) -> list[Extent]:
    """Return the free blocks in order."""
    free = []
    start = space.first
    for extent in sorted(used, key=lambda each: each.start):
        end = min(extent.start, space.last + 1)
        if end > start:
            free.append(Extent(start, end - start))
        start = max(start, extent.last + 1)
    if start <= space.last:
        free.append(Extent(start, space.last - start + 1))
    return free


def _aligned(block: Extent, grid: int) -> int:
    """Return the start of a free block, aligned if the aligned sector is inside the block."""
    start = -(-block.start // grid) * grid
    return start if start <= block.last else block.start


def _too_long(wanted: Extent, around: Extent, largest: Extent) -> Misfit:
    if around == largest:
        return Misfit(
            "it needs {0} at {1}, and {2} are free",
            (wanted.size, wanted.start, around.last - wanted.start + 1),
        )
    return Misfit(
        "it needs {0} at {1}, and {2} are free up to the next partition; "
        "the largest free block is {3} at {4}",
        (wanted.size, wanted.start, around.last - wanted.start + 1, largest.size, largest.start),
    )


def _owner(used: Mapping[int, Extent], sector: int, space: Space) -> str:
    owner = next((number for number, each in used.items() if each.start <= sector <= each.last), None)
    if owner is not None:
        return f": occupied by partition {owner}"
    return ": before the first usable sector" if sector < space.first else ": beyond the end of the disk"


def in_mib(size: int) -> str:
    """Format bytes as MiB."""
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size / MIB:.2f} MiB"
