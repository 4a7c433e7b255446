"""The action that lets a program write to devices while udev stays away from them."""

from __future__ import annotations

from dataclasses import dataclass

from ignition.host import Host
from ignition.host.command import Command
from ignition.report import ConfigPath

__all__ = ["RunLocked"]


@dataclass(frozen=True)
class RunLocked:
    """Run one program that writes to devices; the locks of their disks are held meanwhile.

    Without them udev looks at what is half made, makes links that are wrong soon after, or makes the kernel
    read a partition table again that the program relies on.

    Attributes:
        nodes: kernel nodes of the devices.
    """

    path: ConfigPath
    command: Command
    nodes: tuple[str, ...]

    def describe(self) -> str:
        """The command's reason."""
        return self.command.why

    def perform(self, host: Host) -> None:
        """Run it."""
        with host.devices.locked(self.nodes):
            host.run(self.command)
