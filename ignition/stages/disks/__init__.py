# SPDX-License-Identifier: Apache-2.0
"""The disks stage: partition tables, RAID arrays, LUKS volumes, filesystems.

Each step observes the machine after the step before it.
"""

from __future__ import annotations

from typing import Any, Final

from ignition.schemas.config import Config
from ignition.stages import LazyStep, Step
from ignition.stages.disks.filesystems import Filesystems
from ignition.stages.disks.partitions.step import Partitions
from ignition.stages.disks.preflight.step import Preflight
from ignition.stages.disks.raid.order import RANKS

__all__ = ["STEPS"]


def _raid(config: Config) -> object:
    return config.storage.raid


def _luks(config: Config) -> object:
    return config.storage.luks


STEPS: Final[tuple[Step[Any], ...]] = (
    Preflight(),
    LazyStep("clevis", _luks, "ignition.stages.disks.luks.clevis:Pins"),
    Partitions(),
    *(LazyStep("raid", _raid, "ignition.stages.disks.raid.step:Arrays", (rank,)) for rank in range(RANKS)),
    LazyStep("luks", _luks, "ignition.stages.disks.luks.step:Volumes"),
    Filesystems(),
)
