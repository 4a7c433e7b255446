# SPDX-License-Identifier: Apache-2.0
"""The timing file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ignition.boot import timing


def test_span_writes_seconds_since_boot(tmp_path: Path) -> None:
    path = timing.path_beside(str(tmp_path / "new" / "state"))
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    with timing.span(path, "disks"):
        pass
    with pytest.raises(OSError, match="no"), timing.span(path, "files", started=1.5):
        raise OSError("no")
    disks, files = map(json.loads, Path(path).read_text().splitlines())
    assert disks["stage"] == "disks"
    assert (
        before - 0.01 <= disks["started"] <= disks["ended"] <= time.clock_gettime(time.CLOCK_BOOTTIME) + 0.01
    )
    assert (files["stage"], files["started"]) == ("files", 1.5)


def test_process_started_is_between_boot_and_now() -> None:
    assert 0 < timing.process_started() <= time.clock_gettime(time.CLOCK_BOOTTIME)
