"""The disks stage: partition tables, arrays, encrypted volumes, filesystems.

Each step looks at what the one before it has made.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ignition.stages import Step
from ignition.stages.disks.filesystems import Filesystems
from ignition.stages.disks.partitions.step import Partitions
from ignition.stages.disks.preflight.step import Supported
from ignition.stages.disks.raid.order import RANKS
from ignition.stages.lazy import Later

__all__ = ["STEPS"]


def _arrays(rank: int) -> Step[Any]:
    from ignition.stages.disks.raid.step import Arrays

    return Arrays(rank)


def _pins() -> Step[Any]:
    from ignition.stages.disks.luks.clevis import Pins

    return Pins()


def _volumes() -> Step[Any]:
    from ignition.stages.disks.luks.step import Volumes

    return Volumes()


STEPS: Final[tuple[Step[Any], ...]] = (
    Supported(),
    Later("clevis", lambda config: config.storage.luks, _pins),
    Partitions(),
    *(Later("raid", lambda config: config.storage.raid, partial(_arrays, rank)) for rank in range(RANKS)),
    Later("luks", lambda config: config.storage.luks, _volumes),
    Filesystems(),
)
