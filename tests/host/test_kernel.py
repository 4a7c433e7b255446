# SPDX-License-Identifier: Apache-2.0
"""Kernel features from /proc and from the list of modules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ignition.host import kernel


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    directory = tmp_path / "lib/modules" / os.uname().release
    directory.mkdir(parents=True)
    return directory


def test_filesystems_are_read_from_proc(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/filesystems").write_text("nodev\tsysfs\n\text4\n\n")
    assert kernel.filesystems(str(tmp_path)) == {"sysfs", "ext4"}
    assert "proc" in kernel.filesystems("/")


def test_raid_levels_are_read_from_mdstat(tmp_path: Path) -> None:
    assert kernel.raid_levels(str(tmp_path)) is None
    (tmp_path / "proc").mkdir()
    text = "Personalities : [raid1] [raid6] [raid5] [raid4] \nmd0 : active raid1 vdb[0]\n"
    (tmp_path / "proc/mdstat").write_text(text)
    assert kernel.raid_levels(str(tmp_path)) == frozenset({"raid1", "raid4", "raid5", "raid6"})
    (tmp_path / "proc/mdstat").write_text("Personalities : \n")
    assert kernel.raid_levels(str(tmp_path)) == frozenset()


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("modules.dep", "kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko\n", True),
        ("modules.dep", "kernel/a.ko:\nkernel/fs/xfs/xfs.ko.zst:\n", True),
        ("modules.builtin", "kernel/fs/xfs/xfs.ko\n", True),
        ("modules.dep", "kernel/fs/xfs_not.ko: kernel/fs/notxfs.ko\n", False),
        # Dependencies have lines of their own.
        ("modules.dep", "kernel/x.ko: kernel/y.ko\n", False),
    ],
)
def test_can_load_searches_the_lists_of_modules(
    tmp_path: Path, modules: Path, file: str, text: str, found: bool
) -> None:
    (modules / file).write_text(text)
    assert kernel.can_load(str(tmp_path), "xfs") is found


def test_can_load_treats_dash_and_underscore_alike(tmp_path: Path, modules: Path) -> None:
    (modules / "modules.dep").write_text("kernel/drivers/md/dm-crypt.ko:\n")
    assert kernel.can_load(str(tmp_path), "dm_crypt") is True
    assert kernel.can_load(str(tmp_path), "dm-crypt") is True


def test_can_load_without_lists_knows_only_loaded_modules(tmp_path: Path) -> None:
    assert kernel.can_load(str(tmp_path), "xfs") is None
    (tmp_path / "sys/module/xfs").mkdir(parents=True)
    assert kernel.can_load(str(tmp_path), "xfs") is True
