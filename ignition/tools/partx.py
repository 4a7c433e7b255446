# SPDX-License-Identifier: Apache-2.0
"""partx: update the kernel's partitions of a disk that is in use, or that the kernel does not scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from ignition.host.command import Command

__all__ = ["ranges", "update"]

Operation = Literal["delete", "add"]


def update(operation: Operation, device: str, first: int, last: int) -> Command:
    """Add or delete the partitions `first` to `last` in the kernel."""
    numbers = str(first) if first == last else f"{first}:{last}"
    return Command(
        ("partx", f"--{operation}", "--nr", numbers, device),
        f"telling the kernel to {operation} partition {numbers} of {device}",
    )


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Group numbers into runs without a gap: 1, 2, 5 → (1, 2), (5, 5)."""
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
