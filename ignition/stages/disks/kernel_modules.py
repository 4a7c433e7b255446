# SPDX-License-Identifier: Apache-2.0
"""Kernel modules: find the missing ones, and load modules of filesystems in parallel with other work.

The kernel would load the module of a filesystem at its first mount, which takes a good part of a second
for xfs, while nothing else runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View, kernel
from ignition.schemas.config import Config
from ignition.tools import modprobe

__all__ = ["LoadModules", "UnsupportedFeature", "module_of", "unsupported"]

RAID_MODULES: Final = {"raid4": "raid456", "raid5": "raid456", "raid6": "raid456"}
"""RAID level → kernel module, where the names differ (drivers/md in the kernel)."""


@dataclass(frozen=True)
class UnsupportedFeature:
    """A kernel feature that the config needs and the machine lacks.

    Attributes:
        path: the config path that needs it.
        feature: the feature in words: "btrfs support".
        module: the kernel module that provides it.
    """

    path: ConfigPath
    feature: str
    module: str


def module_of(level: str) -> str:
    """Return the kernel module of a RAID level, which is given in mdadm's words."""
    return RAID_MODULES.get(level, level)


def unsupported(config: Config, host: View) -> Iterator[UnsupportedFeature]:
    """Yield all missing features; loads nothing."""
    storage = config.storage
    formats = {
        index: filesystem.format or ""
        for index, filesystem in enumerate(storage.filesystems)
        if filesystem.is_mounted
    }
    if formats:
        yield from _filesystems(formats, host.system)
    if storage.raid:
        yield from _arrays(config, host.system)
    if storage.luks and kernel.can_load(host.system, "dm_crypt") is False:
        yield UnsupportedFeature(("storage", "luks", 0), "dm-crypt support", "dm_crypt")


def _filesystems(formats: Mapping[int, str], system: str) -> Iterator[UnsupportedFeature]:
    known = kernel.filesystems(system)
    for index, format_ in formats.items():
        # A kernel without module support lists everything that it can mount.
        if format_ not in known and not kernel.can_load(system, format_):
            yield UnsupportedFeature(
                ("storage", "filesystems", index, "format"), f"{format_} support", format_
            )


def _arrays(config: Config, system: str) -> Iterator[UnsupportedFeature]:
    from ignition.tools import mdadm

    known = kernel.raid_levels(system) or frozenset()
    for index, array in enumerate(config.storage.raid):
        level = mdadm.LEVELS.get(array.level or "", array.level or "")
        module = module_of(level)
        if level not in known and not kernel.can_load(system, module):
            yield UnsupportedFeature(
                ("storage", "raid", index, "level"), f"support for RAID level {level}", module
            )


@dataclass(frozen=True)
class LoadModules:
    """Load the modules of filesystems.

    This only saves time, so it never fails: mount reports a module that is really missing.
    """

    path: ConfigPath
    modules: tuple[str, ...]

    def describe(self) -> str:
        return modprobe.load(self.modules).why

    def perform(self, host: Host) -> None:
        try:
            host.run(modprobe.load(self.modules))
        except IgnitionError as error:
            log.debug(f"cannot load the modules, the kernel loads them on mount: {error}")
