"""Whether programs are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.programs import is_there
from tests.lab.programs import Programs


def test_what_path_leads_to_is_there(programs: Programs) -> None:
    programs.add("mkfs.odd")
    assert is_there("mkfs.odd")
    assert not is_there("mkfs.none")
    assert not is_there("")


def test_what_cannot_be_run_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "plain").write_text("")
    (tmp_path / "directory").mkdir()
    assert not is_there("plain")
    assert not is_there("directory")
    (tmp_path / "plain").chmod(0o755)
    assert is_there("plain")
