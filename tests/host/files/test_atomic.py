# SPDX-License-Identifier: Apache-2.0
"""Atomic replacement of files of the running system."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ignition.host.files import atomic


def test_write_replaces_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for data in (b"a long one", b"short"):
        atomic.write(str(path), data, 0o600)
        assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_write_that_fails_names_the_file_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "state"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/state'"):
        atomic.write(str(path), b"after", 0o600)
    assert path.read_bytes() == b"before"
