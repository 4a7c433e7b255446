"""Block devices as the kernel shows them in sysfs, and their bytes. Reads only.

Devices are named by their kernel nodes (`/dev/vdb`); `system` is where the running
system is mounted (`Host.system`). Source of the sysfs facts: the kernel's
Documentation/ABI/stable/sysfs-block.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError

__all__ = [
    "KERNEL_SECTOR",
    "MULTIPATH",
    "Disk",
    "Kernel",
    "disk",
    "every",
    "exists",
    "held",
    "holders",
    "in_units",
    "is_active_array",
    "is_known",
    "mapper_name",
    "number",
    "of_btrfs",
    "partitions",
    "read",
    "resolve",
    "size",
    "whole",
]

KERNEL_SECTOR: Final = 512
"""The unit of all sector numbers in sysfs, whatever the device's own sectors are."""

MULTIPATH: Final = "one path of the multipath device "
"""How `held` begins for a disk that is one of several ways to the same one."""

MAPPED: Final = {"LVM": "the logical volume", "CRYPT": "the encrypted volume"}
"""How UUIDs of device-mapper devices begin, and what the device is. Source: dmsetup(8), `/sys/…/dm/uuid`."""


@dataclass(frozen=True)
class Kernel:
    """A partition as the kernel knows it; start and size in units of `KERNEL_SECTOR`."""

    node: str
    start: int
    size: int


@dataclass(frozen=True)
class Disk:
    """A whole disk.

    Attributes:
        node: its kernel node.
        sector_size: logical sector size in bytes.
        sectors: its size in logical sectors.
        mapper_name: its name if it is a device-mapper device, else "".
    """

    node: str
    sector_size: int
    sectors: int
    mapper_name: str = ""


def disk(system: str, node: str) -> Disk:
    """The disk at `node`.

    Raises:
        IgnitionError: it is no disk, or its sector size is not a multiple of 512.
    """
    if _optional(system, node, "partition"):
        raise IgnitionError(f"{node} is a partition, not a disk", hint=f"the disk is {whole(system, node)}")
    sector_size = int(_attribute(system, node, "queue/logical_block_size"))
    if sector_size % KERNEL_SECTOR:
        raise IgnitionError(f"{node} has sectors of {sector_size} bytes, which no partition table can use")
    size = int(_attribute(system, node, "size")) * KERNEL_SECTOR
    return Disk(node, sector_size, size // sector_size, _optional(system, node, "dm/name"))


def partitions(system: str, node: str) -> Mapping[int, Kernel]:
    """The partitions of a disk that the kernel knows, by number.

    On a device-mapper disk they are device-mapper devices of their own, found by
    the links that udev makes for them; their start is not in sysfs, it is given as -1.
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
            found[int(_attribute(system, own, "partition"))] = Kernel(own, start, size)
    return found


def _mapper_partitions(system: str, name: str) -> Iterator[tuple[int, Kernel]]:
    links = f"{_base(system)}/dev/disk/by-id"
    for link in _names(links):
        prefix, _, digits = link.rpartition("p")
        if prefix == f"dm-name-{name}" and digits.isdecimal():
            node = f"/dev/{os.path.basename(os.path.realpath(f'{links}/{link}'))}"
            yield int(digits), Kernel(node, -1, int(_attribute(system, node, "size")))


def holders(system: str, node: str) -> list[str]:
    """The devices that are built on this one (RAID, LUKS, LVM, multipath)."""
    return [f"/dev/{name}" for name in _names(f"{_directory(system, node)}/holders")]


def held(system: str, node: str) -> str:
    """What is built on a device ("held by /dev/dm-3, the logical volume vg-root"), or "" if nothing is."""
    built = [_built(system, holder) for holder in holders(system, node)]
    if path := next((text for text in built if text.startswith(MULTIPATH)), ""):
        return path
    return f"held by {' and '.join(built)}" if built else ""


def _built(system: str, holder: str) -> str:
    name, uuid = mapper_name(system, holder), _optional(system, holder, "dm/uuid")
    kind = uuid.partition("-")[0]
    if kind == "mpath":
        return f"{MULTIPATH}/dev/mapper/{name}"
    if kind in MAPPED:
        return f"{holder}, {MAPPED[kind]} {name}"
    if name:
        return f"{holder}, the device /dev/mapper/{name}"
    if _optional(system, holder, "md/array_state"):
        return f"{holder}, an array"
    return holder


def of_btrfs(system: str) -> frozenset[str]:
    """The devices of all btrfs that are mounted; of several devices of one, the mount names only the first.

    Source: the kernel's Documentation/filesystems/btrfs.rst and btrfs(5), `/sys/fs/btrfs/UUID/devices`.
    """
    directory = f"{_base(system)}/sys/fs/btrfs"
    members = (f"{directory}/{each}/devices" for each in _names(directory))
    return frozenset(f"/dev/{name}" for each in members if os.path.isdir(each) for name in _names(each))


def is_known(system: str, node: str) -> bool:
    """Whether there is such a device."""
    return os.path.isdir(_directory(system, node))


def size(system: str, node: str) -> int:
    """The size of a device in bytes; 0 if there is none."""
    return int(_optional(system, node, "size") or 0) * KERNEL_SECTOR


def is_active_array(system: str, node: str) -> bool:
    """Whether a device is a software RAID array that runs. Source: the kernel's admin-guide/md.rst."""
    return _optional(system, node, "md/array_state") not in {"", "clear", "inactive"}


def number(system: str, node: str) -> str:
    """`major:minor` of a device."""
    return _attribute(system, node, "dev")


def whole(system: str, node: str) -> str:
    """The disk that a partition is on; a device that is no partition is its own disk."""
    directory = os.path.realpath(_directory(system, node))
    if os.path.exists(f"{directory}/partition"):
        return f"/dev/{os.path.basename(os.path.dirname(directory)).replace('!', '/')}"
    return node


def read(system: str, node: str, offset: int, length: int) -> bytes:
    """Bytes of a device; fewer than `length` only at its end."""
    try:
        descriptor = os.open(_base(system) + node, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise IgnitionError(f"cannot read {node}: {error.strerror}") from error


def resolve(system: str, path: str) -> str:
    """The kernel's node for a path, all links followed; of what is not there, as far as they lead."""
    base = _base(system)
    return os.path.realpath(base + path).removeprefix(base)


def exists(system: str, path: str) -> bool:
    """Whether a path leads to something."""
    return os.path.exists(_base(system) + path)


def mapper_name(system: str, node: str) -> str:
    """The name of a device-mapper device; "" of any other."""
    return _optional(system, node, "dm/name")


def every(system: str) -> Iterator[str]:
    """A line for each block device with something in it: node, size, model, serial, names by id."""
    directory = f"{_base(system)}/sys/class/block"
    by_id = _links(system, "/dev/disk/by-id")
    for name in _names(directory):
        node = f"/dev/{name.replace('!', '/')}"
        if bytes_ := size(system, node):
            model = _optional(system, node, "device/model")
            serial = _optional(system, node, "serial") or _optional(system, node, "device/serial")
            facts = (in_units(bytes_), model, serial and f"serial {serial}", *by_id.get(node, ()))
            yield " ".join((node, *filter(None, facts)))


def in_units(size: int) -> str:
    """Bytes as KiB, MiB, GiB or TiB, without a space between."""
    unit = next((unit for unit in ("T", "G", "M") if size >= 1 << _SHIFTS[unit]), "K")
    return f"{size / (1 << _SHIFTS[unit]):.4g}{unit}iB"


_SHIFTS: Final = {"T": 40, "G": 30, "M": 20, "K": 10}


def _links(system: str, directory: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in _names(_base(system) + directory):
        target = os.path.basename(os.path.realpath(f"{_base(system)}{directory}/{name}"))
        found.setdefault(f"/dev/{target}", []).append(f"{directory}/{name}")
    return found


def _base(system: str) -> str:
    return system.rstrip("/")


def _directory(system: str, node: str) -> str:
    return f"{_base(system)}/sys/class/block/{node.removeprefix('/dev/').replace('/', '!')}"


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
            f"{node} is not a block device that the kernel knows",
            hint="name the disk itself, for example /dev/vdb or /dev/disk/by-id/…",
        ) from error


def _optional(system: str, node: str, name: str) -> str:
    try:
        with open(f"{_directory(system, node)}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
