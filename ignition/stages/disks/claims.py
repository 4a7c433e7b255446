"""Which entries of the config want a device for themselves.

Two that want the same one would destroy each other's work: the reference finds out when the first has
done its part, or not at all. This depends on the config alone and is refused before anything is written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ignition.errors import Refusal
from ignition.report import ConfigPath, format_path
from ignition.schemas.config import Config

__all__ = ["refusals"]

HINT: Final = "name another device in one of them"
UNTOUCHED: Final = frozenset({None, "virtiofs"})
"""Formats of filesystems whose device is left as it is."""


@dataclass(frozen=True)
class _Claim:
    device: str
    path: ConfigPath
    role: str
    is_exclusive: bool = True


def refusals(config: Config) -> Iterator[Refusal]:
    """Devices that an array or an encrypted volume shares with any other entry."""
    first: dict[str, _Claim] = {}
    for claim in _claims(config):
        other = first.setdefault(posixpath.normpath(claim.device), claim)
        # Of a filesystem on a partitioned disk the config's own check warns, as the reference's does.
        if other is not claim and (other.is_exclusive or claim.is_exclusive):
            reason = f"{claim.device} is to be {claim.role}, and {other.role} ({format_path(other.path)})"
            yield Refusal(claim.path, reason, HINT)


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
