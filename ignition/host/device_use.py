# SPDX-License-Identifier: Apache-2.0
"""Block devices in use: mounted, swapped to, or held by devices that are built on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from ignition.host import blocks
from ignition.host.mounts import mounted, unescape
from ignition.host.system_path import under

__all__ = ["DeviceUse", "DevicesInUse", "UseKind"]

MULTIPATH: Final = "mpath"
MAPPER_NAMES: Final = {"LVM": "the logical volume", "CRYPT": "the LUKS volume"}
"""Type of a device-mapper device → its name for users."""


class UseKind(Enum):
    """The way in which a device is in use."""

    MOUNTED = "mounted"
    SWAP = "swap"
    BTRFS = "btrfs"
    HELD = "held"
    MULTIPATH = "multipath"


@dataclass(frozen=True)
class DeviceUse:
    """How a device is in use.

    Attributes:
        mount_point: of a mounted device, else "".
        holders: devices that are built on it.
        disk: the whole disk, if that is in use instead of the device itself, else "".
    """

    kind: UseKind
    mount_point: str = ""
    holders: tuple[blocks.Holder, ...] = ()
    disk: str = ""

    def describe(self) -> str:
        """Return the use as a phrase: "mounted at /", "held by /dev/dm-3, the logical volume vg-root"."""
        text = self._describe()
        return f"a part of {self.disk}, which is {text}" if self.disk else text

    def _describe(self) -> str:
        match self.kind:
            case UseKind.MOUNTED:
                return f"mounted at {self.mount_point}"
            case UseKind.SWAP:
                return "active swap"
            case UseKind.BTRFS:
                return "a device of a mounted btrfs"
            case UseKind.MULTIPATH:
                return f"a path of the multipath device {_mapper_device(self.holders[0])}"
            case UseKind.HELD:
                return f"held by {' and '.join(map(_describe_holder, self.holders))}"

    def hint(self) -> str:
        """Return the way to make the device available."""
        if self.kind is UseKind.MULTIPATH:
            partitions = " or its partitions" if self.disk else ""
            return f"use the multipath device {_mapper_device(self.holders[0])}{partitions}"
        return "unmount or detach it first; devices that the boot uses cannot be changed"


@dataclass(frozen=True)
class DevicesInUse:
    """The block devices of the running system that were in use at one moment.

    Attributes:
        system: path where the running system is mounted.
        by_number: `major:minor` of mounted devices → mount point.
        by_node: kernel node of mounted devices → mount point.
        swaps: kernel nodes of active swap devices.
        btrfs: kernel nodes of the devices of mounted btrfs filesystems.
    """

    system: str
    by_number: Mapping[str, str]
    by_node: Mapping[str, str]
    swaps: frozenset[str]
    btrfs: frozenset[str] = frozenset()

    @classmethod
    def read(cls, system: str) -> DevicesInUse:
        """Read the current mounts, swap devices and btrfs members."""
        mounts = mounted(system)
        return cls(
            system,
            {mount.number: mount.target for mount in mounts},
            # A source that does not exist any more resolves to a node of no device.
            {
                blocks.resolve(system, mount.source): mount.target
                for mount in mounts
                if mount.source[:1] == "/"
            },
            frozenset(_swaps(system)),
            blocks.btrfs_members(system),
        )

    def of(self, node: str, *, held: bool = True) -> DeviceUse | None:
        """Return how a device is in use, or None; devices that are built on it count only if `held`."""
        if held and (use := _held(self.system, node)):
            return use
        if node in self.swaps:
            return DeviceUse(UseKind.SWAP)
        if not blocks.is_known(self.system, node):
            return None  # a preview also asks about devices that do not exist yet
        target = self.by_node.get(node) or self.by_number.get(blocks.device_number(self.system, node))
        if target:
            return DeviceUse(UseKind.MOUNTED, target)
        return DeviceUse(UseKind.BTRFS) if node in self.btrfs else None

    def of_any(self, node: str) -> DeviceUse | None:
        """Return how a device, one of its partitions or its whole disk is in use, or None."""
        parts = [part.node for part in blocks.partitions(self.system, node).values()]
        if use := next(filter(None, map(self.of, (node, *parts))), None):
            return use
        # The holder of a whole disk has it exclusively: no partition of it can be opened for writing.
        whole = blocks.whole_disk(self.system, node)
        use = _held(self.system, whole) if whole != node else None
        return use and replace(use, disk=whole)


def _held(system: str, node: str) -> DeviceUse | None:
    holders = tuple(blocks.holder(system, each) for each in blocks.holders(system, node))
    multipath = tuple(each for each in holders if each.mapper_type == MULTIPATH)
    if multipath:
        return DeviceUse(UseKind.MULTIPATH, holders=multipath)
    return DeviceUse(UseKind.HELD, holders=holders) if holders else None


def _describe_holder(holder: blocks.Holder) -> str:
    if holder.mapper_type in MAPPER_NAMES:
        return f"{holder.node}, {MAPPER_NAMES[holder.mapper_type]} {holder.mapper_name}"
    if holder.mapper_name:
        return f"{holder.node}, the device {_mapper_device(holder)}"
    return f"{holder.node}, a RAID array" if holder.is_array else holder.node


def _mapper_device(holder: blocks.Holder) -> str:
    return f"/dev/mapper/{holder.mapper_name}"


def _swaps(system: str) -> Iterable[str]:
    try:
        with open(under(system, "/proc/swaps"), encoding="utf-8", errors="surrogateescape") as file:
            return [unescape(line.split()[0]) for line in file.readlines()[1:]]
    except FileNotFoundError:  # a kernel without swap
        return []
