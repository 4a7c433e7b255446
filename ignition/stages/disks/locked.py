"""The action that lets a program write to devices while udev stays away from them."""

from __future__ import annotations

from dataclasses import dataclass

from ignition.host import Host
from ignition.stages.actions import RunCommand

__all__ = ["RunLocked"]


@dataclass(frozen=True)
class RunLocked(RunCommand):
    """Run one program that writes to devices; the locks of their disks are held meanwhile.

    Without them udev looks at what is half made, makes links that are wrong soon after, or makes the kernel
    read a partition table again that the program relies on.

    Attributes:
        nodes: kernel nodes of the devices.
    """

    nodes: tuple[str, ...]

    def perform(self, host: Host) -> None:
        """Run it."""
        with host.devices.locked(self.nodes):
            host.run(self.command)
