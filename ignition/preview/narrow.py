"""A config with some of its objects left out, that still knows where the others stood."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ignition.configpath import ConfigPath
from ignition.preview import luks
from ignition.schemas.config import Config
from ignition.tools import mdadm

__all__ = ["Narrowed", "brings", "objects", "only", "without"]

LISTS: Final = {
    "storage": {
        "disks": "disk",
        "raid": "array",
        "luks": "encrypted volume",
        "filesystems": "filesystem",
        "directories": "directory",
        "files": "file",
        "links": "link",
    },
    "passwd": {"groups": "group", "users": "user"},
    "systemd": {"units": "unit"},
}
"""The lists of objects in each section of a config, and the word for one object of each."""

NAMES: Final = ("name", "device", "path")
"""What objects are called by; each has one of these first."""


@dataclass(frozen=True)
class Narrowed:
    """A config without some objects.

    Attributes:
        config: it.
        kept: list → the indices that its objects had before.
    """

    config: Config
    kept: dict[ConfigPath, list[int]] = field(default_factory=dict)

    def original(self, path: ConfigPath) -> ConfigPath:
        """The path before anything was left out."""
        if len(path) > 2 and isinstance(index := path[2], int) and path[:2] in self.kept:
            return (*path[:2], self.kept[path[:2]][index], *path[3:])
        return path


def objects(config: Config) -> Iterator[tuple[ConfigPath, str]]:
    """All objects: path and name."""
    for section, name, items in _lists(config):
        for index, item in enumerate(items):
            called = next((text for each in NAMES if (text := getattr(item, each, None))), "")
            yield (section, name, index), f"{LISTS[section][name]} {called}".strip()


def brings(config: Config, path: ConfigPath) -> Iterator[str]:
    """The device paths that the object at this path, if it is one that makes devices, makes known."""
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
        yield from luks.names_of(storage.luks[index])


def without(config: Config, paths: Container[ConfigPath]) -> Narrowed:
    """The config without the objects at these paths."""
    return _kept(config, lambda path: path not in paths)


def only(config: Config, wanted: ConfigPath) -> Narrowed:
    """The config with this one object alone."""
    return _kept(config, lambda path: path == wanted)


def _kept(config: Config, is_kept: Any) -> Narrowed:
    kept: dict[ConfigPath, list[int]] = {}
    sections: dict[str, dict[str, Any]] = {section: {} for section in LISTS}
    for section, name, items in _lists(config):
        indices = [index for index in range(len(items)) if is_kept((section, name, index))]
        kept[(section, name)] = indices
        sections[section][name] = tuple(items[index] for index in indices)
    narrowed = {section: getattr(config, section).but(**lists) for section, lists in sections.items()}
    return Narrowed(config.but(**narrowed), kept)


def _lists(config: Config) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    for section, names in LISTS.items():
        for name in names:
            yield section, name, getattr(getattr(config, section), name)
