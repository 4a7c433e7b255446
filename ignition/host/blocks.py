# SPDX-License-Identifier: Apache-2.0
"""Block devices: their attributes in sysfs, and their bytes. Reads only.

Devices are named by their kernel nodes (`/dev/vdb`). `system` is the path where the running system is
mounted (`Host.system`). Source of the sysfs attributes: Documentation/ABI/stable/sysfs-block in the kernel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.system_path import under
from ignition.text import strerror

__all__ = [
    "KERNEL_SECTOR",
    "Disk",
    "Holder",
    "KernelPartition",
    "btrfs_members",
    "device_number",
    "disk",
    "exists",
    "format_size",
    "holder",
    "holders",
    "inventory",
    "is_active_array",
    "is_known",
    "mapper_name",
    "partitions",
    "read",
    "resolve",
    "size",
    "whole_disk",
]

KERNEL_SECTOR: Final = 512
"""Bytes in one sector of sysfs, independent of the sector size of the device."""


@dataclass(frozen=True)
class KernelPartition:
    """A partition that the kernel has; `start` and `size` in units of `KERNEL_SECTOR`."""

    node: str
    start: int
    size: int


@dataclass(frozen=True)
class Disk:
    """A whole disk.

    Attributes:
        node: kernel node.
        sector_size: logical sector size in bytes.
        sectors: size in logical sectors.
        mapper_name: name of a device-mapper device, else "".
    """

    node: str
    sector_size: int
    sectors: int
    mapper_name: str = ""


@dataclass(frozen=True)
class Holder:
    """A device that is built on another one.

    Attributes:
        node: kernel node.
        mapper_name: name of a device-mapper device, else "".
        mapper_type: type of a device-mapper device (`LVM`, `CRYPT`, `mpath`), as the part of its UUID
            before the first dash, else "". Source: dmsetup(8).
        is_array: whether it is a RAID array.
    """

    node: str
    mapper_name: str = ""
    mapper_type: str = ""
    is_array: bool = False


def disk(system: str, node: str) -> Disk:
    """Read the attributes of the disk at `node`.

    Raises:
        IgnitionError: not a disk, or the sector size is not a multiple of 512.
    """
    if _optional(system, node, "partition"):
        raise IgnitionError(
            f"{node} is a partition, expected a disk", hint=f"use the disk {whole_disk(system, node)}"
        )
    sector_size = int(_attribute(system, node, "queue/logical_block_size"))
    if sector_size % KERNEL_SECTOR:
        raise IgnitionError(f"unsupported sector size of {node}: {sector_size} bytes")
    size = int(_attribute(system, node, "size")) * KERNEL_SECTOR
    return Disk(node, sector_size, size // sector_size, _optional(system, node, "dm/name"))


def partitions(system: str, node: str) -> Mapping[int, KernelPartition]:
    """Return the partitions of a disk that the kernel has, by number.

    The partitions of a device-mapper disk are device-mapper devices themselves, found by udev's symlinks.
    sysfs does not have their start: it is -1.
    """
    mapper_name = _optional(system, node, "dm/name")
    if mapper_name:
        return dict(_mapper_partitions(system, mapper_name))
    directory = _directory(system, node)
    found = {}
    for name in _names(directory):
        if os.path.exists(f"{directory}/{name}/partition"):
            own = f"/dev/{name.replace('!', '/')}"
            start = int(_attribute(system, own, "start"))
            size = int(_attribute(system, own, "size"))
            found[int(_attribute(system, own, "partition"))] = KernelPartition(own, start, size)
    return found


def _mapper_partitions(system: str, name: str) -> Iterator[tuple[int, KernelPartition]]:
    links = under(system, "/dev/disk/by-id")
    for link in _names(links):
        prefix, _, digits = link.rpartition("p")
        if prefix == f"dm-name-{name}" and digits.isdecimal():
            node = f"/dev/{os.path.basename(os.path.realpath(f'{links}/{link}'))}"
            yield int(digits), KernelPartition(node, -1, int(_attribute(system, node, "size")))


def holders(system: str, node: str) -> list[str]:
    """Return the kernel nodes of the devices that are built on this one (RAID, LUKS, LVM, multipath)."""
    return [f"/dev/{name}" for name in _names(f"{_directory(system, node)}/holders")]


def holder(system: str, node: str) -> Holder:
    """Read the attributes of a device that is built on another one."""
    return Holder(
        node,
        mapper_name(system, node),
        _optional(system, node, "dm/uuid").partition("-")[0],
        bool(_optional(system, node, "md/array_state")),
    )


def btrfs_members(system: str) -> frozenset[str]:
    """Return the kernel nodes of all devices of mounted btrfs filesystems.

    The mount table names only the first device of each. Source: btrfs(5), `/sys/fs/btrfs/UUID/devices`.
    """
    directory = under(system, "/sys/fs/btrfs")
    members = (f"{directory}/{each}/devices" for each in _names(directory))
    return frozenset(f"/dev/{name}" for each in members if os.path.isdir(each) for name in _names(each))


def is_known(system: str, node: str) -> bool:
    return os.path.isdir(_directory(system, node))


def size(system: str, node: str) -> int:
    """Return the size of a device in bytes; 0 if the device does not exist."""
    return int(_optional(system, node, "size") or 0) * KERNEL_SECTOR


def is_active_array(system: str, node: str) -> bool:
    """Whether a device is a running RAID array. Source: Documentation/admin-guide/md.rst in the kernel."""
    return _optional(system, node, "md/array_state") not in {"", "clear", "inactive"}


def device_number(system: str, node: str) -> str:
    """Return `major:minor` of a device."""
    return _attribute(system, node, "dev")


def whole_disk(system: str, node: str) -> str:
    """Return the disk of a partition, or `node` itself if it is not a partition."""
    directory = os.path.realpath(_directory(system, node))
    if os.path.exists(f"{directory}/partition"):
        return f"/dev/{os.path.basename(os.path.dirname(directory)).replace('!', '/')}"
    return node


def read(system: str, node: str, offset: int, length: int) -> bytes:
    """Read bytes of a device; fewer than `length` only at its end."""
    try:
        descriptor = os.open(under(system, node), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise IgnitionError(f"cannot read {node}: {strerror(error)}") from error


def resolve(system: str, path: str) -> str:
    """Return the kernel node of a device path, all symlinks resolved as far as they exist."""
    return os.path.realpath(under(system, path)).removeprefix(under(system, ""))


def exists(system: str, path: str) -> bool:
    """Whether a path of the running system exists, symlinks followed."""
    return os.path.exists(under(system, path))


def mapper_name(system: str, node: str) -> str:
    """Return the name of a device-mapper device; "" for any other device."""
    return _optional(system, node, "dm/name")


def inventory(system: str) -> Iterator[str]:
    """Yield one line for each block device with a size: node, size, model, serial, paths in by-id."""
    directory = under(system, "/sys/class/block")
    by_id = _links(system, "/dev/disk/by-id")
    for name in _names(directory):
        node = f"/dev/{name.replace('!', '/')}"
        if bytes_ := size(system, node):
            model = _optional(system, node, "device/model")
            serial = _optional(system, node, "serial") or _optional(system, node, "device/serial")
            facts = (format_size(bytes_), model, serial and f"serial {serial}", *by_id.get(node, ()))
            yield " ".join((node, *filter(None, facts)))


def format_size(size: int) -> str:
    """Format bytes as KiB, MiB, GiB or TiB: "1.5GiB"."""
    unit = next((unit for unit in ("T", "G", "M") if size >= 1 << _SHIFTS[unit]), "K")
    return f"{size / (1 << _SHIFTS[unit]):.4g}{unit}iB"


_SHIFTS: Final = {"T": 40, "G": 30, "M": 20, "K": 10}


def _links(system: str, directory: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in _names(under(system, directory)):
        target = os.path.basename(os.path.realpath(under(system, f"{directory}/{name}")))
        found.setdefault(f"/dev/{target}", []).append(f"{directory}/{name}")
    return found


def _directory(system: str, node: str) -> str:
    return under(system, f"/sys/class/block/{node.removeprefix('/dev/').replace('/', '!')}")


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []


def _attribute(system: str, node: str, name: str) -> str:
    try:
        with open(f"{_directory(system, node)}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError as error:
        raise IgnitionError(
            f"{node} is not a block device",
            hint="set the device to a disk such as /dev/disk/by-id/…",
        ) from error


def _optional(system: str, node: str, name: str) -> str:
    try:
        with open(f"{_directory(system, node)}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
