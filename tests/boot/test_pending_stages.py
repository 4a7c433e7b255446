# SPDX-License-Identifier: Apache-2.0
"""Pending-stage files."""

from __future__ import annotations

from pathlib import Path

from ignition.boot import pending_stages


def test_pending_stage_is_a_file_in_the_directory(tmp_path: Path) -> None:
    directory = pending_stages.directory_beside(str(tmp_path / "state"))
    pending_stages.write(directory, ["disks", "files"])
    assert sorted(path.name for path in (tmp_path / "stages").iterdir()) == ["disks", "files"]
    assert pending_stages.is_pending(directory, "disks")
    assert not pending_stages.is_pending(directory, "mount")


def test_remove_deletes_only_that_stage(tmp_path: Path) -> None:
    pending_stages.write(str(tmp_path), ["disks", "files"])
    pending_stages.remove(str(tmp_path), "disks")
    pending_stages.remove(str(tmp_path), "disks")
    assert not pending_stages.is_pending(str(tmp_path), "disks")
    assert pending_stages.is_pending(str(tmp_path), "files")


def test_write_removes_files_of_an_earlier_config(tmp_path: Path) -> None:
    pending_stages.write(str(tmp_path), ["disks"])
    pending_stages.write(str(tmp_path), ["files"])
    assert not pending_stages.is_pending(str(tmp_path), "disks")


def test_is_pending_without_directory_is_false(tmp_path: Path) -> None:
    assert not pending_stages.is_pending(str(tmp_path / "missing"), "disks")
