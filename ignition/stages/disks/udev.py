# SPDX-License-Identifier: Apache-2.0
"""Actions that coordinate with udev: wait for it, and keep it away while a program writes."""

from __future__ import annotations

from dataclasses import dataclass

from ignition.configpath import ConfigPath
from ignition.host import Host
from ignition.stages.actions import RunCommand

__all__ = ["RunLocked", "Settle"]


@dataclass(frozen=True)
class Settle:
    """Trigger udev events for devices and wait, so that later steps find correct symlinks.

    An event of a disk covers its partitions: udev handles it after all earlier events of the partitions,
    and the kernel's events are earlier.

    Attributes:
        devices: kernel nodes.
    """

    path: ConfigPath
    devices: tuple[str, ...]

    def describe(self) -> str:
        return f"waiting for udev to process {', '.join(self.devices)}"

    def perform(self, host: Host) -> None:
        host.devices.settle(self.devices)


@dataclass(frozen=True)
class RunLocked(RunCommand):
    """Run a program that writes to devices, with the locks of their disks held.

    Without the locks udev probes incomplete contents, creates symlinks that are wrong soon after, or makes
    the kernel read a partition table again that the program relies on.

    Attributes:
        nodes: kernel nodes of the devices.
    """

    nodes: tuple[str, ...]

    def perform(self, host: Host) -> None:
        """Run it."""
        with host.devices.locked(self.nodes):
            host.run(self.command)
