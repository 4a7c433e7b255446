"""partx: tells the kernel about single partitions of a disk that is in use, or that it does not scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from ignition.host.command import Command

__all__ = ["ranges", "tell"]

Change = Literal["delete", "add"]


def tell(change: Change, device: str, first: int, last: int) -> Command:
    """Make the kernel's view of the partitions `first` to `last` agree with the table."""
    numbers = str(first) if first == last else f"{first}:{last}"
    return Command(
        ("partx", f"--{change}", "--nr", numbers, device),
        f"telling the kernel to {change} partition {numbers} of {device}",
    )


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Numbers as runs without a gap, so that one call covers each: 1, 2, 5 → (1, 2), (5, 5)."""
    run: tuple[int, int] | None = None
    for number in sorted(set(numbers)):
        if run and number == run[1] + 1:
            run = (run[0], number)
        else:
            if run:
                yield run
            run = (number, number)
    if run:
        yield run
