"""Which arrays stand on which others, and so which are made first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid

__all__ = ["RANKS", "ranks", "refusals"]

PATH: ConfigPath = ("storage", "raid")
RANKS: Final = 4
"""How many arrays may stand on top of each other; it takes a step for each."""


def refusals(config: Config) -> Iterator[Refusal]:
    """Arrays that stand on each other in a ring, or too deep."""
    arrays = config.storage.raid
    rank_of = {index: rank for rank, indices in enumerate(ranks(arrays)) for index in indices}
    for index, array in enumerate(arrays):
        if index not in rank_of:
            reason = f"the array {array.name} cannot be made before itself: its members need it"
            yield Refusal((*PATH, index, "devices"), reason, "remove one of the arrays from the ring")
        elif rank_of[index] >= RANKS:
            reason = f"the array {array.name} stands on {rank_of[index]} others, one on top of the other"
            yield Refusal((*PATH, index, "devices"), reason, f"use {RANKS} layers of arrays at most")


def ranks(arrays: Sequence[Raid]) -> list[list[int]]:
    """Indices of the arrays, those first that stand on no other one; those in a ring are left out."""
    below = {index: set(_arrays_below(array, arrays)) for index, array in enumerate(arrays)}
    done: set[int] = set()
    found: list[list[int]] = []
    while ready := [index for index, others in below.items() if index not in done and others <= done]:
        found.append(ready)
        done.update(ready)
    return found


def _arrays_below(array: Raid, arrays: Sequence[Raid]) -> Iterator[int]:
    """The arrays that are members of an array."""
    from ignition.tools import mdadm

    for index, other in enumerate(arrays):
        if mdadm.device_of(other.name) in array.devices:
            yield index
