# SPDX-License-Identifier: Apache-2.0
"""Refuse two config entries that claim the same device.

Two such entries would destroy each other's work; the reference notices after the first one was applied,
or never. Paths are compared by name and, where they exist when the stage begins, by the device that they
resolve to.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition.configpath import ConfigPath, format_path
from ignition.errors import Refusal
from ignition.host import View, blocks
from ignition.schemas.config import Config

__all__ = ["BY_CONTENT", "Named", "Place", "named_twice", "places", "refusals"]

HINT: Final = "change the device of one of the two entries"
ONCE: Final = {
    "disks": "put all partitions of a disk into one entry",
    "raid": "remove one of the two members; they are one device",
    "luks": "remove one of the two volumes; they are on one device",
    "filesystems": "merge the two entries; they are on one device",
}
"""Section of the config → hint for two entries with one device."""

UNTOUCHED: Final = frozenset({None, "virtiofs"})
"""Formats whose device is not written."""

BY_CONTENT: Final = tuple(f"/dev/disk/by-{what}/" for what in ("label", "uuid", "partlabel", "partuuid"))
"""Symlinks that depend on the contents of a device, and so may change with a new partition table."""


Named = tuple[ConfigPath, str, str]
"""Config path, device path, and kernel node of a device."""


@dataclass(frozen=True)
class _Claim:
    device: str
    path: ConfigPath
    role: str
    is_exclusive: bool = True


@dataclass(frozen=True)
class Place:
    """A resolved device path: the kernel node, and the node of the disk that it is on."""

    node: str
    disk: str


def places(config: Config, host: View) -> dict[str, Place]:
    """Resolve existing device paths, except those that the stage may redirect."""
    system = host.system
    found = {
        claim.device: blocks.resolve(system, claim.device)
        for claim in _claims(config)
        if blocks.exists(system, claim.device)
    }
    disks = {found[disk.device] for disk in config.storage.disks if disk.device in found}
    all_places = {device: Place(node, blocks.whole_disk(system, node)) for device, node in found.items()}
    return {
        device: place
        for device, place in all_places.items()
        if not (device.startswith(BY_CONTENT) and place.disk in disks)
    }


def refusals(config: Config, places: Mapping[str, Place]) -> Iterator[Refusal]:
    """Refuse devices that two entries claim, using `places` for resolved paths."""
    first: dict[str, _Claim] = {}
    for claim in _claims(config):
        other = first.setdefault(_node(claim, places), claim)
        if other is not claim:
            yield from _contradiction(claim, other)
    for claim in _claims(config):
        place = places.get(claim.device)
        whole = first.get(place.disk) if place and place.disk != place.node else None
        if whole and whole.path[1] != "disks":
            by = f"{whole.device}, claimed {whole.role} ({format_path(whole.path)})"
            yield Refusal(claim.path, f"{claim.device} is claimed {claim.role}, and is a part of {by}", HINT)


def _contradiction(claim: _Claim, other: _Claim) -> Iterator[Refusal]:
    """Yield the refusal of two conflicting claims to one device."""
    if claim.path[1] == other.path[1] and claim.device != other.device:
        yield _same_device(claim.path, claim.device, other.path, other.device)
        return
    is_same_name = posixpath.normpath(claim.device) == posixpath.normpath(other.device)
    # A filesystem on a partitioned disk of the same name is a warning of the config's validation, as in the
    # reference.
    if other.is_exclusive or claim.is_exclusive or not is_same_name:
        same = "" if is_same_name else f" (the same device as {other.device})"
        where = format_path(other.path)
        reason = f"{claim.device}{same} is claimed twice: {claim.role} and {other.role} ({where})"
        yield Refusal(claim.path, reason, HINT)


def _node(claim: _Claim, places: Mapping[str, Place]) -> str:
    place = places.get(claim.device)
    return place.node if place else posixpath.normpath(claim.device)


def named_twice(named: Iterable[Named]) -> Iterator[Refusal]:
    """Refuse two entries of one section whose paths resolve to one device."""
    first: dict[str, tuple[ConfigPath, str]] = {}
    for path, device, node in named:
        other_path, other = first.setdefault(node, (path, device))
        if other_path != path:
            yield _same_device(path, device, other_path, other)


def _same_device(path: ConfigPath, device: str, other_path: ConfigPath, other: str) -> Refusal:
    reason = f"{device} is the same device as {other} ({format_path(other_path)})"
    return Refusal(path, reason, ONCE[str(path[1])])


def _claims(config: Config) -> Iterator[_Claim]:
    storage = config.storage
    for index, disk in enumerate(storage.disks):
        if any(partition.should_exist is not False for partition in disk.partitions):
            path: ConfigPath = ("storage", "disks", index)
            yield _Claim(disk.device, path, "as a disk with partitions", is_exclusive=False)
    for index, array in enumerate(storage.raid):
        for number, device in enumerate(array.devices):
            path = ("storage", "raid", index, "devices", number)
            yield _Claim(device, path, f'as a member of RAID array "{array.name}"')
    for index, volume in enumerate(storage.luks):
        if volume.device is not None:
            path = ("storage", "luks", index, "device")
            yield _Claim(volume.device, path, f'as the device of LUKS volume "{volume.name}"')
    for index, filesystem in enumerate(storage.filesystems):
        if filesystem.format not in UNTOUCHED:
            path = ("storage", "filesystems", index, "device")
            yield _Claim(filesystem.device, path, "as the device of a filesystem", is_exclusive=False)
