"""The action that lets udev catch up: once for a group of devices, not once for each."""

from __future__ import annotations

from dataclasses import dataclass

from ignition.configpath import ConfigPath
from ignition.host import Host

__all__ = ["Settle"]


@dataclass(frozen=True)
class Settle:
    """Let udev look at devices again, so that its links are true when later steps follow them.

    For a disk that covers its partitions: udev handles an event of a disk only after
    all earlier ones of its partitions, and the kernel's are earlier than ours.

    Attributes:
        devices: kernel nodes.
    """

    path: ConfigPath
    devices: tuple[str, ...]

    def describe(self) -> str:
        """Which devices."""
        return f"waiting for udev to look at {', '.join(self.devices)}"

    def perform(self, host: Host) -> None:
        """Trigger and wait."""
        host.devices.settle(self.devices)
