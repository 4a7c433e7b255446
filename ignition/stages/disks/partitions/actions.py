# SPDX-License-Identifier: Apache-2.0
"""Actions on partition tables: write a table, tell the kernel, and check what the kernel sees."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View, blocks
from ignition.host.command import Command, CommandFailed
from ignition.stages.disks.partitions.layout import Extent
from ignition.tools import dmsetup, partx

__all__ = ["ExpectPartitions", "PartitionDisk", "seen_on"]

PATIENCE: Final = 5.0
"""Seconds to wait for the kernel's view to match; udev may make it read the table again."""
TICK: Final = 0.05
ATTEMPTS: Final = 20


@dataclass(frozen=True)
class PartitionDisk:
    """Change the partition table of one disk.

    The whole-disk lock is held, so that udev does not make the kernel read an incomplete table.

    Attributes:
        device: the disk's path in the config.
        disk: the disk.
        zero: byte ranges that are overwritten first (offset, length).
        commands: the programs that write the table.
        touched: numbers of changed, created and deleted partitions.
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
        if not (self.zero or self.commands):
            return f"telling the kernel about the partitions of {self.device}"
        return f"{'wiping and ' if self.zero else ''}partitioning {self.device}"

    def perform(self, host: Host) -> None:
        """Write the table, and tell the kernel about changes that it did not notice."""
        with host.devices.locked([self.disk.node]):
            if self.zero:
                host.devices.zero(self.disk.node, self.zero)
            for command in self.commands:
                host.run(command)
            # udev creates the partitions of a device-mapper disk, not the kernel.
            if not self.disk.mapper_name:
                self._tell_kernel(host)

    def _tell_kernel(self, host: Host) -> None:
        for _ in range(ATTEMPTS):
            corrections = tuple(self._corrections(host))
            try:
                for command in corrections:
                    host.run(command)
            except CommandFailed as error:
                # A program, usually udev, has a partition open for a moment. `ExpectPartitions` checks
                # what the kernel sees in the end.
                log.notice(str(error))
                time.sleep(TICK)
            else:
                return

    def _corrections(self, host: Host) -> Iterator[Command]:
        """Yield the partx calls that correct the kernel's view: first all deletions, then all additions."""
        seen = seen_on(host.system, self.disk)
        looked_at = self.touched | (seen.keys() if self.zero else set())
        wrong = {number for number in looked_at & seen.keys() if seen[number] != self.expected.get(number)}
        missing = {number for number in looked_at & self.expected.keys() if number not in seen.keys() - wrong}
        for first, last in partx.ranges(wrong):
            yield partx.update("delete", self.disk.node, first, last)
        for first, last in partx.ranges(missing):
            yield partx.update("add", self.disk.node, first, last)


@dataclass(frozen=True)
class ExpectPartitions:
    """Check that the kernel sees the partitions of a disk as they were written.

    Attributes:
        device: the disk's path in the config.
        disk: the disk.
        gone: numbers of partitions that must not exist.
        expected: partitions that must exist.
    """

    path: ConfigPath
    device: str
    disk: blocks.Disk
    gone: frozenset[int]
    expected: Mapping[int, Extent]

    def describe(self) -> str:
        return f"checking that the kernel sees the partitions of {self.device}"

    def perform(self, host: Host) -> None:
        """Poll until the kernel's view matches or the time limit expires."""
        deadline = time.monotonic() + PATIENCE
        while wrong := list(self._differences(host)):
            if time.monotonic() > deadline:
                raise IgnitionError(
                    f"the kernel's view of {self.device} does not match the written partition table: "
                    + "; ".join(wrong),
                    hint="check which device holds the disk or a partition: ls /sys/class/block/*/holders",
                )
            time.sleep(TICK)
        nodes = {part.node for number, part in self._seen(host).items() if number in self.expected}
        host.devices.wait(dict.fromkeys(sorted(nodes), self.path))

    def _seen(self, host: Host) -> Mapping[int, blocks.KernelPartition]:
        return blocks.partitions(host.system, self.disk.node)

    def _differences(self, host: Host) -> Iterator[str]:
        seen = self._seen(host)
        for number in sorted(self.gone & seen.keys()):
            yield f"partition {number} still exists"
        for number, expected in sorted(self.expected.items()):
            if number not in seen:
                yield f"partition {number} not found"
            elif (found := self._found(host, number, seen[number])) != expected:
                yield (
                    f"partition {number} has {found.size} sectors at {found.start}, "
                    f"want {expected.size} at {expected.start}"
                )

    def _found(self, host: View, number: int, part: blocks.KernelPartition) -> Extent:
        if not self.disk.mapper_name:
            return _extent(part, self.disk)
        name = f"{self.disk.mapper_name}p{number}"
        start, size = dmsetup.parse_linear(host.run(dmsetup.table(name)).stdout, name)
        return _extent(blocks.KernelPartition(part.node, start, size), self.disk)


def seen_on(system: str, disk: blocks.Disk) -> dict[int, Extent]:
    """Return the partitions that the kernel sees by number, in the disk's own sectors."""
    return {number: _extent(part, disk) for number, part in blocks.partitions(system, disk.node).items()}


def _extent(part: blocks.KernelPartition, disk: blocks.Disk) -> Extent:
    factor = disk.sector_size // blocks.KERNEL_SECTOR
    return Extent(part.start // factor, part.size // factor)
