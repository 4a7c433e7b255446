# SPDX-License-Identifier: Apache-2.0
"""Order arrays whose members are other arrays."""

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
"""The number of layers of arrays on arrays; each layer is a step."""


def refusals(config: Config) -> Iterator[Refusal]:
    """Refuse dependency cycles and too many layers."""
    arrays = config.storage.raid
    rank_of = {index: rank for rank, indices in enumerate(ranks(arrays)) for index in indices}
    for index, array in enumerate(arrays):
        if index not in rank_of:
            reason = f'RAID dependency cycle involving array "{array.name}"'
            yield Refusal((*PATH, index, "devices"), reason, "remove one of the members that close the cycle")
        elif rank_of[index] >= RANKS:
            reason = f'array "{array.name}" has {rank_of[index]} layers of arrays below it'
            yield Refusal((*PATH, index, "devices"), reason, f"use {RANKS} layers of arrays at most")


def ranks(arrays: Sequence[Raid]) -> list[list[int]]:
    """Return indices by rank, arrays without arrays as members first; those in a cycle are left out."""
    below = {index: set(_arrays_below(array, arrays)) for index, array in enumerate(arrays)}
    done: set[int] = set()
    found: list[list[int]] = []
    while ready := [index for index, others in below.items() if index not in done and others <= done]:
        found.append(ready)
        done.update(ready)
    return found


def _arrays_below(array: Raid, arrays: Sequence[Raid]) -> Iterator[int]:
    """Yield the indices of arrays that are members of an array."""
    from ignition.tools import mdadm

    for index, other in enumerate(arrays):
        if mdadm.device_of(other.name) in array.devices:
            yield index
