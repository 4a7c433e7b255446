"""Which entries of the config want a device for themselves.

Two that want the same one would destroy each other's work: the reference finds out when the first has
done its part, or not at all. As far as it can be seen when the stage begins, whether by the paths that
the config names or by where they lead, it is refused before anything is written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ignition.configpath import ConfigPath, format_path
from ignition.errors import Refusal
from ignition.host import Host, blocks
from ignition.schemas.config import Config

__all__ = ["BY_CONTENT", "Named", "Place", "named_twice", "places", "refusals"]

HINT: Final = "name another device in one of them"
ONCE: Final = {
    "disks": "put all partitions of a disk into one entry",
    "raid": "a device can be a member once",
    "luks": "a device can hold one volume",
    "filesystems": "describe a filesystem in one entry",
}
"""Section of the config → what to know, or to do, if two of its entries have one device."""

UNTOUCHED: Final = frozenset({None, "virtiofs"})
"""Formats of filesystems whose device is left as it is."""

BY_CONTENT: Final = tuple(f"/dev/disk/by-{what}/" for what in ("label", "uuid", "partlabel", "partuuid"))
"""Links that follow what is on a device, and so may lead elsewhere when its disk has a new table."""


Named = tuple[ConfigPath, str, str]
"""A device of the config: where it is named, how, and its kernel node."""


@dataclass(frozen=True)
class _Claim:
    device: str
    path: ConfigPath
    role: str
    is_exclusive: bool = True


@dataclass(frozen=True)
class Place:
    """Where a path leads now: a kernel node, and the node of the disk that it is on."""

    node: str
    disk: str


def places(config: Config, host: Host) -> dict[str, Place]:
    """Where the paths that are there lead now, but for those that the stage may make lead elsewhere."""
    system = host.system
    found = {
        claim.device: blocks.resolve(system, claim.device)
        for claim in _claims(config)
        if blocks.exists(system, claim.device)
    }
    disks = {found[disk.device] for disk in config.storage.disks if disk.device in found}
    all_places = {device: Place(node, blocks.whole(system, node)) for device, node in found.items()}
    return {
        device: place
        for device, place in all_places.items()
        if not (device.startswith(BY_CONTENT) and place.disk in disks)
    }


def refusals(config: Config, places: Mapping[str, Place]) -> Iterator[Refusal]:
    """Devices that two entries want; `places` says where paths lead, so far as that is known."""
    first: dict[str, _Claim] = {}
    for claim in _claims(config):
        other = first.setdefault(_node(claim, places), claim)
        if other is not claim:
            yield from _contradiction(claim, other)
    for claim in _claims(config):
        place = places.get(claim.device)
        whole = first.get(place.disk) if place and place.disk != place.node else None
        if whole and whole.path[1] != "disks":
            reason = f"{claim.device} is to be {claim.role}, and is a part of {whole.device}, which is to be"
            yield Refusal(claim.path, f"{reason} {whole.role} ({format_path(whole.path)})", HINT)


def _contradiction(claim: _Claim, other: _Claim) -> Iterator[Refusal]:
    """Why two claims to one device cannot both be met, if they cannot."""
    if claim.path[1] == other.path[1] and claim.device != other.device:
        yield _same_device(claim.path, claim.device, other.path, other.device)
        return
    is_same_name = posixpath.normpath(claim.device) == posixpath.normpath(other.device)
    # Of a filesystem on a partitioned disk the config's own check warns, as the reference's does, if both
    # are called the same.
    if other.is_exclusive or claim.is_exclusive or not is_same_name:
        same = "" if is_same_name else f", the same device as {other.device},"
        reason = f"{claim.device}{same} is to be {claim.role}, and {other.role} ({format_path(other.path)})"
        yield Refusal(claim.path, reason, HINT)


def _node(claim: _Claim, places: Mapping[str, Place]) -> str:
    place = places.get(claim.device)
    return place.node if place else posixpath.normpath(claim.device)


def named_twice(named: Iterable[Named]) -> Iterator[Refusal]:
    """Second names of devices in one section: what one entry makes, the other would take for its own."""
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
            yield _Claim(disk.device, path, "a disk with partitions", is_exclusive=False)
    for index, array in enumerate(storage.raid):
        for number, device in enumerate(array.devices):
            path = ("storage", "raid", index, "devices", number)
            yield _Claim(device, path, f"a member of the array {array.name}")
    for index, volume in enumerate(storage.luks):
        if volume.device is not None:
            path = ("storage", "luks", index, "device")
            yield _Claim(volume.device, path, f"the encrypted volume {volume.name}")
    for index, filesystem in enumerate(storage.filesystems):
        if filesystem.format not in UNTOUCHED:
            path = ("storage", "filesystems", index, "device")
            yield _Claim(filesystem.device, path, "a filesystem", is_exclusive=False)
