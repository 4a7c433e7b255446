# SPDX-License-Identifier: Apache-2.0
"""The duration of each stage: one JSON object a line, in seconds since boot.

`/run/ignition/timing.jsonl` stays readable in the running system. The first stage of
a process counts from the start of the process, so that start-up time is included.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["path_beside", "process_started", "span"]

FIELD_AFTER_NAME = 19
"""Index of `starttime` in /proc/PID/stat after the program's name (proc(5), field 22)."""


def path_beside(state_file: str) -> str:
    """Return the path of the file, beside the state file."""
    return os.path.join(os.path.dirname(state_file), "timing.jsonl")


def process_started() -> float:
    """Return the start time of this process, in seconds since boot."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[FIELD_AFTER_NAME]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def span(path: str, stage: str, started: float | None = None) -> Iterator[None]:
    """Record when the stage inside the block began and ended, however it ends.

    Args:
        path: the file that gets a line.
        stage: the stage's name.
        started: seconds since boot; None for now.
    """
    begin = time.clock_gettime(time.CLOCK_BOOTTIME) if started is None else started
    try:
        yield
    finally:
        end = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        with open(path, "a", encoding="ascii") as file:
            file.write(
                json.dumps({"stage": stage, "started": round(begin, 3), "ended": round(end, 3)}) + "\n"
            )
