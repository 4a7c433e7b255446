# SPDX-License-Identifier: Apache-2.0
"""Search for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.programs import has_program
from tests.lab.programs import Programs


def test_program_in_path_is_found(programs: Programs) -> None:
    programs.add("mkfs.odd")
    assert has_program("mkfs.odd")
    assert not has_program("mkfs.none")
    assert not has_program("")


def test_file_that_is_not_executable_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "plain").write_text("")
    (tmp_path / "directory").mkdir()
    assert not has_program("plain")
    assert not has_program("directory")
    (tmp_path / "plain").chmod(0o755)
    assert has_program("plain")
