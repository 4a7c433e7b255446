"""Where new partitions go: a pure function that gives sgdisk's own answers.

The reference asks `sgdisk --pretend` and reads what it prints. The rules are few
(engine.md 9.3.1, confirmed with sgdisk 1.0.9), so here they are, without a process;
a property test compares them with the program over random tables.

- Requests are served in their order; each sees what those before it have taken.
- Start 0 is the start of the largest free block, the first of several equal ones,
  moved to the alignment grid if that leaves it in the block.
- Size 0 reaches to the end of the largest free block, so a given start must lie in it.
- A size that does not fit is an error; it is never shrunk.
- Given starts are not moved. (sgdisk moves those off its grid. Config values are whole
  MiB and so always on it; what is taken over from an existing table stays where it is.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["MIB", "Extent", "Misfit", "Request", "Space", "alignment", "in_mib", "lay_out"]

MIB: Final = 1 << 20
AF_ALIGNMENT: Final = 8
"""sgdisk's smallest grid on disks that may have 4096-byte sectors inside."""
AF_SECTORS: Final = 585937500
"""From this many sectors on a disk may have them (300 GB of 512 bytes)."""


@dataclass(frozen=True)
class Extent:
    """A run of sectors, never empty."""

    start: int
    size: int

    @property
    def last(self) -> int:
        """The last sector in it."""
        return self.start + self.size - 1


@dataclass(frozen=True)
class Space:
    """What there is to give away.

    Attributes:
        first: first usable sector.
        last: last usable sector.
        alignment: the grid, in sectors.
        capacity: highest partition number.
    """

    first: int
    last: int
    alignment: int
    capacity: int


@dataclass(frozen=True)
class Request:
    """A partition to be placed; 0 for a start or size that is to be found."""

    number: int
    start: int = 0
    size: int = 0


@dataclass(frozen=True)
class Misfit:
    """Why a partition cannot be placed, in words; sectors stand as `{n}` for whoever knows their size.

    Attributes:
        reason: what is wrong.
        sectors: the figures for the reason, in sectors.
    """

    reason: str
    sectors: tuple[int, ...] = ()

    def text(self, sector_size: int) -> str:
        """The reason with its figures."""
        return self.reason.format(*(in_mib(count * sector_size) for count in self.sectors))


def alignment(starts: Iterable[int], sector_size: int, sectors: int) -> int:
    """The grid for a disk on which partitions start at `starts`.

    It is 1 MiB, or the largest power of two that all of them keep to.
    """
    grid = MIB // sector_size
    for start in starts:
        while start % grid:
            grid //= 2
    return AF_ALIGNMENT if grid < AF_ALIGNMENT and sectors >= AF_SECTORS else grid


def lay_out(
    space: Space, taken: Mapping[int, Extent], requests: Iterable[Request]
) -> dict[int, Extent | Misfit]:
    """Place all requests; `taken` are the partitions that stay, by number.

    A request that cannot be placed takes nothing; those after it are placed all the same.
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
        return Misfit(f"the partition table has room for {space.capacity} partitions only")
    if request.number in used:
        return Misfit(f"there is a partition {request.number} already")
    free = _free(space, used.values())
    largest = max(free, key=lambda block: block.size, default=None)
    if largest is None:
        return Misfit("there is no free space on the disk")
    start = request.start or _aligned(largest, space.alignment)
    if request.size == 0 and not largest.start <= start <= largest.last:
        return Misfit(
            "without a size it reaches to the end of the largest free block, and its start is not in that: "
            "it is {0} from {1} on",
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
    """The free blocks, in order."""
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
    """The start of a free block, moved up to the grid if the grid has a sector in the block."""
    start = -(-block.start // grid) * grid
    return start if start <= block.last else block.start


def _too_long(wanted: Extent, around: Extent, largest: Extent) -> Misfit:
    if around == largest:
        return Misfit(
            "it needs {0} from {1} on, and there are {2}",
            (wanted.size, wanted.start, around.last - wanted.start + 1),
        )
    return Misfit(
        "it needs {0} from {1} on, and there are {2} up to the next partition; "
        "the largest free block is {3} from {4} on",
        (wanted.size, wanted.start, around.last - wanted.start + 1, largest.size, largest.start),
    )


def _owner(used: Mapping[int, Extent], sector: int, space: Space) -> str:
    owner = next((number for number, each in used.items() if each.start <= sector <= each.last), None)
    if owner is not None:
        return f": partition {owner} is there"
    return (
        ": it is before the first usable sector"
        if sector < space.first
        else ": it is beyond the end of the disk"
    )


def in_mib(size: int) -> str:
    """Bytes as MiB."""
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size / MIB:.2f} MiB"
