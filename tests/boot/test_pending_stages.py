"""Gates say which stages have work."""

from __future__ import annotations

from pathlib import Path

from ignition.boot import pending_stages


def test_a_gate_is_a_file_that_a_unit_condition_can_look_for(tmp_path: Path) -> None:
    directory = pending_stages.directory_beside(str(tmp_path / "state"))
    pending_stages.write(directory, ["disks", "files"])
    assert sorted(path.name for path in (tmp_path / "stages").iterdir()) == ["disks", "files"]
    assert pending_stages.is_pending(directory, "disks")
    assert not pending_stages.is_pending(directory, "mount")


def test_a_stage_that_has_run_closes_its_own_gate(tmp_path: Path) -> None:
    pending_stages.write(str(tmp_path), ["disks", "files"])
    pending_stages.remove(str(tmp_path), "disks")
    pending_stages.remove(str(tmp_path), "disks")
    assert not pending_stages.is_pending(str(tmp_path), "disks")
    assert pending_stages.is_pending(str(tmp_path), "files")


def test_gates_of_an_earlier_config_do_not_stay_open(tmp_path: Path) -> None:
    pending_stages.write(str(tmp_path), ["disks"])
    pending_stages.write(str(tmp_path), ["files"])
    assert not pending_stages.is_pending(str(tmp_path), "disks")


def test_without_any_gates_nothing_is_pending(tmp_path: Path) -> None:
    assert not pending_stages.is_pending(str(tmp_path / "missing"), "disks")
