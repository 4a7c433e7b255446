# SPDX-License-Identifier: Apache-2.0
"""Files in memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ignition.host.command import Command
from ignition.host.files.memfd import memory_file
from ignition.host.run import run


@pytest.mark.real_commands("cat")
def test_memory_file_can_be_read_several_times() -> None:
    data = b"two\nlines\0\xff" * 10_000
    with memory_file(data) as path:
        for _ in range(2):
            assert len(run(Command(("cat", path), "")).stdout) == len(data)
        assert Path(path).read_bytes() == data
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.readlink(path).startswith("/memfd:")
    assert not os.path.exists(path)
