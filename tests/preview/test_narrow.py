# SPDX-License-Identifier: Apache-2.0
"""Configs without some of their objects."""

from __future__ import annotations

from ignition.preview.narrow import brings, objects, only, without
from tests.stages.files.lab import config_of

CONFIG = config_of(
    passwd={"users": [{"name": "core"}]},
    storage={
        "disks": [
            {"device": "/dev/a", "partitions": [{"number": 1, "label": "x"}, {"number": 2, "guid": "AB"}]},
            {"device": "/dev/b"},
        ],
        "raid": [
            {"name": "md", "level": "raid0", "devices": ["/dev/c"]},
            {"name": "/dev/md0", "level": "raid0", "devices": ["/dev/f"]},
        ],
        "luks": [{"name": "v", "device": "/dev/d"}],
        "filesystems": [{"device": "/dev/e", "path": "/srv"}],
        "files": [{"path": "/f"}],
    },
)


def test_objects_yields_word_and_name_of_each() -> None:
    assert [what for _, what in objects(CONFIG)] == [
        "disk /dev/a",
        "disk /dev/b",
        "RAID array md",
        "RAID array /dev/md0",
        "LUKS volume v",
        "filesystem /dev/e",
        "file /f",
        "user core",
    ]


def test_without_keeps_original_paths() -> None:
    narrowed = without(CONFIG, {("storage", "disks", 0), ("passwd", "users", 0)})
    assert [disk.device for disk in narrowed.config.storage.disks] == ["/dev/b"]
    assert narrowed.config.passwd.users == ()
    assert narrowed.config.storage.raid == CONFIG.storage.raid
    assert narrowed.original(("storage", "disks", 0, "device")) == ("storage", "disks", 1, "device")
    assert narrowed.original(("storage", "disks")) == ("storage", "disks")
    assert narrowed.original(()) == ()


def test_only_leaves_single_object() -> None:
    alone = only(CONFIG, ("storage", "disks", 1))
    assert [what for _, what in objects(alone.config)] == ["disk /dev/b"]


def test_brings_yields_device_paths_that_object_creates() -> None:
    brought = {path: list(brings(CONFIG, path)) for path, _ in objects(CONFIG)}
    assert brought[("storage", "disks", 0)] == ["/dev/disk/by-partlabel/x", "/dev/disk/by-partuuid/ab"]
    assert brought[("storage", "raid", 0)] == ["/dev/md/md"]
    assert brought[("storage", "raid", 1)] == ["/dev/md0"]
    assert brought[("storage", "luks", 0)] == ["/dev/mapper/v", "/dev/disk/by-id/dm-name-v"]
    assert brought[("storage", "filesystems", 0)] == []
    assert list(brings(CONFIG, ())) == []
