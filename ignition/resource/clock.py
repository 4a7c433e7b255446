# SPDX-License-Identifier: Apache-2.0
"""The clock of retries, and deadlines."""

from __future__ import annotations

import time
from typing import Final, Protocol

from ignition import runcontext

__all__ = ["SYSTEM_CLOCK", "Clock", "Deadline"]


class Clock(Protocol):
    """A monotonic clock; tests use one that they advance themselves."""

    def now(self) -> float:
        """Return seconds since an arbitrary start; never decreases."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises `Cancelled` when the work is no longer wanted (`ignition.runcontext`)."""


class SystemClock:
    """The system's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        runcontext.sleep(seconds)


SYSTEM_CLOCK: Final = SystemClock()


class Deadline:
    """The end of a time limit; `total` is in seconds, 0 or less means no limit."""

    def __init__(self, clock: Clock, total: float) -> None:
        self._clock = clock
        self.total = total
        self._end = clock.now() + total

    def now(self) -> float:
        """Return the clock's time."""
        return self._clock.now()

    def left(self) -> float:
        """Return the remaining seconds; infinite without a limit, never negative."""
        return max(0.0, self._end - self.now()) if self.total > 0 else float("inf")
