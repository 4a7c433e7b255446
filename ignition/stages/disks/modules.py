"""Kernel modules for the filesystems that will be mounted, loaded while those are made.

The kernel would load them when they are first mounted; xfs alone takes it a good part
of a second then, in which nothing else goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from ignition import log
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.report import ConfigPath
from ignition.tools import modprobe

__all__ = ["LoadModules", "mountable_formats"]


def mountable_formats(host: Host) -> frozenset[str]:
    """The filesystem types that the kernel can mount as it is. Source: proc(5), `/proc/filesystems`."""
    with open(f"{host.system.rstrip('/')}/proc/filesystems", encoding="utf-8") as file:
        return frozenset(line.split()[-1] for line in file if line.strip())


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
