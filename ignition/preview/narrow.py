# SPDX-License-Identifier: Apache-2.0
"""Configs without some of their objects; the others keep their original paths."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ignition.configpath import ConfigPath
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.tools import cryptsetup, mdadm

__all__ = ["Narrowed", "brings", "names_of", "objects", "only", "without"]

LISTS: Final = {
    "storage": {
        "disks": "disk",
        "raid": "RAID array",
        "luks": "LUKS volume",
        "filesystems": "filesystem",
        "directories": "directory",
        "files": "file",
        "links": "link",
    },
    "passwd": {"groups": "group", "users": "user"},
    "systemd": {"units": "unit"},
}
"""Section of a config → list of objects → the word for one object."""

NAMES: Final = ("name", "device", "path")
"""The fields that identify an object, most specific first."""


@dataclass(frozen=True)
class Narrowed:
    """A config without some objects.

    Attributes:
        config: the remaining config.
        kept: path of a list → the original indices of its remaining objects.
    """

    config: Config
    kept: dict[ConfigPath, list[int]] = field(default_factory=dict)

    def original(self, path: ConfigPath) -> ConfigPath:
        """Return the path in the whole config."""
        if len(path) > 2 and isinstance(index := path[2], int) and path[:2] in self.kept:
            return (*path[:2], self.kept[path[:2]][index], *path[3:])
        return path


def objects(config: Config) -> Iterator[tuple[ConfigPath, str]]:
    """Yield the path and the name of all objects."""
    for section, name, items in _lists(config):
        for index, item in enumerate(items):
            called = next((text for each in NAMES if (text := getattr(item, each, None))), "")
            yield (section, name, index), f"{LISTS[section][name]} {called}".strip()


def brings(config: Config, path: ConfigPath) -> Iterator[str]:
    """Yield the device paths that the object at a path creates; nothing for other objects."""
    section, name, index, *_ = (*path, None, None, None)
    if section != "storage" or not isinstance(index, int):
        return
    storage = config.storage
    if name == "disks":
        for partition in storage.disks[index].partitions:
            if partition.label:
                yield f"/dev/disk/by-partlabel/{partition.label}"
            if partition.guid:
                yield f"/dev/disk/by-partuuid/{partition.guid.lower()}"
    elif name == "raid":
        yield mdadm.device_of(storage.raid[index].name)
    elif name == "luks":
        yield from names_of(storage.luks[index])


def names_of(volume: Luks) -> tuple[str, str]:
    """Return the device paths of an open LUKS volume."""
    return cryptsetup.device_of(volume.name), f"/dev/disk/by-id/dm-name-{volume.name}"


def without(config: Config, paths: Container[ConfigPath]) -> Narrowed:
    """Return the config without the objects at these paths."""
    return _kept(config, lambda path: path not in paths)


def only(config: Config, wanted: ConfigPath) -> Narrowed:
    """Return the config with a single object."""
    return _kept(config, lambda path: path == wanted)


def _kept(config: Config, is_kept: Any) -> Narrowed:
    kept: dict[ConfigPath, list[int]] = {}
    sections: dict[str, dict[str, Any]] = {section: {} for section in LISTS}
    for section, name, items in _lists(config):
        indices = [index for index in range(len(items)) if is_kept((section, name, index))]
        kept[(section, name)] = indices
        sections[section][name] = tuple(items[index] for index in indices)
    narrowed = {section: getattr(config, section).evolve(**lists) for section, lists in sections.items()}
    return Narrowed(config.evolve(**narrowed), kept)


def _lists(config: Config) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    for section, names in LISTS.items():
        for name in names:
            yield section, name, getattr(getattr(config, section), name)
