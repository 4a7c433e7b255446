"""The disks stage: partition tables, arrays, encrypted volumes, filesystems.

Each step looks at what the one before it has made.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ignition.stages import Step
from ignition.stages.disks.filesystems import Filesystems
from ignition.stages.disks.partitions import Partitions
from ignition.stages.disks.ranks import RANKS
from ignition.stages.disks.supported import Supported
from ignition.stages.later import Later

__all__ = ["STEPS"]


def _arrays(rank: int) -> Step[Any]:
    from ignition.stages.disks.raid import Arrays

    return Arrays(rank)


def _pins() -> Step[Any]:
    from ignition.stages.disks.clevis import Pins

    return Pins()


def _volumes() -> Step[Any]:
    from ignition.stages.disks.luks import Volumes

    return Volumes()


STEPS: Final[tuple[Step[Any], ...]] = (
    Supported(),
    Later("clevis", lambda config: config.storage.luks, _pins),
    Partitions(),
    *(Later("raid", lambda config: config.storage.raid, partial(_arrays, rank)) for rank in range(RANKS)),
    Later("luks", lambda config: config.storage.luks, _volumes),
    Filesystems(),
)
