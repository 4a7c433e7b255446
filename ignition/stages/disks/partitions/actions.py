"""Actions on partition tables: write one, make the kernel see it, and make sure that it does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, blocks
from ignition.host.command import Command, CommandFailed
from ignition.stages.disks.partitions.layout import Extent
from ignition.tools import dmsetup, partx

__all__ = ["ExpectPartitions", "PartitionDisk", "seen_on"]

PATIENCE: Final = 5.0
"""Seconds for the kernel's view to become what it should be; udev may be making it read the table again."""
TICK: Final = 0.05
ATTEMPTS: Final = 20


@dataclass(frozen=True)
class PartitionDisk:
    """Change the partition table of one disk.

    The whole-disk lock is held, so that udev does not make the kernel read a table
    that is half written.

    Attributes:
        device: what the config calls the disk.
        disk: the disk.
        zero: byte ranges that are overwritten first (offset, length).
        commands: what writes the table.
        touched: numbers of the partitions that are changed, made or deleted.
        expected: the partitions of the finished table.
    """

    path: ConfigPath
    device: str
    disk: blocks.Disk
    zero: tuple[tuple[int, int], ...]
    commands: tuple[Command, ...]
    touched: frozenset[int]
    expected: Mapping[int, Extent]

    def describe(self) -> str:
        """The disk, and what is done to it."""
        if not (self.zero or self.commands):
            return f"showing the kernel the partitions of {self.device}"
        return f"{'wiping and ' if self.zero else ''}partitioning {self.device}"

    def perform(self, host: Host) -> None:
        """Write, and tell the kernel what it did not see by itself."""
        with host.devices.locked([self.disk.node]):
            if self.zero:
                host.devices.zero(self.disk.node, self.zero)
            for command in self.commands:
                host.run(command)
            # Partitions of a device-mapper disk are made by udev, not by the kernel.
            if not self.disk.mapper_name:
                self._tell_kernel(host)

    def _tell_kernel(self, host: Host) -> None:
        for _ in range(ATTEMPTS):
            corrections = tuple(self._corrections(host))
            try:
                for command in corrections:
                    host.run(command)
            except CommandFailed as error:
                # Somebody has a partition open, mostly udev and for a moment. What counts is what
                # the kernel sees in the end; `ExpectPartitions` looks at that.
                log.notice(str(error))
                time.sleep(TICK)
            else:
                return

    def _corrections(self, host: Host) -> Iterator[Command]:
        """What makes the kernel see the table as it is: all that is wrong goes before anything new comes."""
        seen = seen_on(host.system, self.disk)
        looked_at = self.touched | (seen.keys() if self.zero else set())
        wrong = {number for number in looked_at & seen.keys() if seen[number] != self.expected.get(number)}
        missing = {number for number in looked_at & self.expected.keys() if number not in seen.keys() - wrong}
        for first, last in partx.ranges(wrong):
            yield partx.tell("delete", self.disk.node, first, last)
        for first, last in partx.ranges(missing):
            yield partx.tell("add", self.disk.node, first, last)


@dataclass(frozen=True)
class ExpectPartitions:
    """Make sure that the kernel sees the partitions of a disk as they were written.

    Attributes:
        device: what the config calls the disk.
        disk: the disk.
        gone: numbers of partitions that must not be there.
        expected: partitions that must be there.
    """

    path: ConfigPath
    device: str
    disk: blocks.Disk
    gone: frozenset[int]
    expected: Mapping[int, Extent]

    def describe(self) -> str:
        """The disk."""
        return f"checking that the kernel sees the partitions of {self.device}"

    def perform(self, host: Host) -> None:
        """Look until it is so."""
        deadline = time.monotonic() + PATIENCE
        while wrong := list(self._differences(host)):
            if time.monotonic() > deadline:
                raise IgnitionError(
                    f"the kernel does not see the partition table of {self.device} as it was written: "
                    + "; ".join(wrong),
                    hint="something holds the disk or one of its partitions: see /sys/class/block/*/holders",
                )
            time.sleep(TICK)
        nodes = {part.node for number, part in self._seen(host).items() if number in self.expected}
        host.devices.wait(dict.fromkeys(sorted(nodes), self.path))

    def _seen(self, host: Host) -> Mapping[int, blocks.Kernel]:
        return blocks.partitions(host.system, self.disk.node)

    def _differences(self, host: Host) -> Iterator[str]:
        seen = self._seen(host)
        for number in sorted(self.gone & seen.keys()):
            yield f"partition {number} is still there"
        for number, expected in sorted(self.expected.items()):
            if number not in seen:
                yield f"partition {number} is not there"
            elif (found := self._found(host, number, seen[number])) != expected:
                yield (
                    f"partition {number} has {found.size} sectors from {found.start} on, "
                    f"not {expected.size} from {expected.start} on"
                )

    def _found(self, host: Host, number: int, part: blocks.Kernel) -> Extent:
        if not self.disk.mapper_name:
            return _extent(part, self.disk)
        name = f"{self.disk.mapper_name}p{number}"
        start, size = dmsetup.parse_linear(host.run(dmsetup.table(name)).stdout, name)
        return _extent(blocks.Kernel(part.node, start, size), self.disk)


def seen_on(system: str, disk: blocks.Disk) -> dict[int, Extent]:
    """The partitions of a disk as the kernel sees them, in the disk's own sectors."""
    return {number: _extent(part, disk) for number, part in blocks.partitions(system, disk.node).items()}


def _extent(part: blocks.Kernel, disk: blocks.Disk) -> Extent:
    factor = disk.sector_size // blocks.KERNEL_SECTOR
    return Extent(part.start // factor, part.size // factor)
