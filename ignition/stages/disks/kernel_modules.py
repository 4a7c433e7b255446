"""Kernel modules: which ones a config needs that cannot be had, and those that are loaded while others work.

The kernel would load those of filesystems when they are first mounted; xfs alone takes it a good part
of a second then, in which nothing else goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, kernel
from ignition.schemas.config import Config
from ignition.tools import modprobe

__all__ = ["LoadModules", "Unable", "module_of", "unable"]

RAID_MODULES: Final = {"raid4": "raid456", "raid5": "raid456", "raid6": "raid456"}
"""Level → its kernel module, where that has another name. Source: the kernel's drivers/md."""


@dataclass(frozen=True)
class Unable:
    """Something that the config needs and the kernel cannot do.

    Attributes:
        path: what needs it.
        what: what the kernel cannot do: "mount btrfs".
        module: the module by which it could.
    """

    path: ConfigPath
    what: str
    module: str


def module_of(level: str) -> str:
    """The module that brings arrays of a level, in mdadm's own word for it."""
    return RAID_MODULES.get(level, level)


def unable(config: Config, host: Host) -> Iterator[Unable]:
    """All of it; nothing is loaded to find out."""
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
        yield Unable(("storage", "luks", 0), "open encrypted volumes", "dm_crypt")


def _filesystems(formats: Mapping[int, str], system: str) -> Iterator[Unable]:
    known = kernel.filesystems(system)
    for index, format_ in formats.items():
        # A kernel that loads no modules has listed all that it can mount.
        if format_ not in known and not kernel.can_load(system, format_):
            yield Unable(("storage", "filesystems", index, "format"), f"mount {format_}", format_)


def _arrays(config: Config, system: str) -> Iterator[Unable]:
    from ignition.tools import mdadm

    known = kernel.raid_levels(system) or frozenset()
    for index, array in enumerate(config.storage.raid):
        level = mdadm.LEVELS.get(array.level or "", array.level or "")
        module = module_of(level)
        if level not in known and not kernel.can_load(system, module):
            yield Unable(("storage", "raid", index, "level"), f"run arrays of level {level}", module)


@dataclass(frozen=True)
class LoadModules:
    """Load modules, which have the names of the filesystems.

    This only saves time, so it never fails: what is really missing is told by mount.
    """

    path: ConfigPath
    modules: tuple[str, ...]

    def describe(self) -> str:
        """The modules."""
        return modprobe.load(self.modules).why

    def perform(self, host: Host) -> None:
        """Load them."""
        try:
            host.run(modprobe.load(self.modules))
        except IgnitionError as error:
            log.debug(f"the kernel has to load them by itself: {error}")
