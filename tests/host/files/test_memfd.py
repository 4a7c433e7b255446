"""Files without a name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ignition.host.command import Command
from ignition.host.files.memfd import in_memory
from ignition.host.run import run


@pytest.mark.real_commands("cat")
def test_programs_can_read_it_again_and_again() -> None:
    data = b"two\nlines\0\xff" * 10_000
    with in_memory(data) as path:
        for _ in range(2):
            assert len(run(Command(("cat", path), "")).stdout) == len(data)
        assert Path(path).read_bytes() == data
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.readlink(path).startswith("/memfd:")  # it is in no directory
    assert not os.path.exists(path)
