# SPDX-License-Identifier: Apache-2.0
"""The log lines of fetches that fail and are retried.

Each new cause is one log line. A lasting failure is also shown on the console of a boot: after ten seconds,
then at intervals that double up to ten minutes. Fetches with the same cause share one line.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final, Self

from ignition import log
from ignition.errors import TimedOut
from ignition.host import progress
from ignition.resource.clock import Deadline

__all__ = ["Cause", "RetryLog"]

FIRST_REMINDER: Final = 10.0
LONGEST_INTERVAL: Final = 600.0
"""Both in seconds."""

NO_LIMIT: Final = "retrying without limit (ignition.timeouts.httpTotal is not set)"


@dataclass(frozen=True)
class Cause:
    """Why an attempt failed.

    Attributes:
        text: the cause.
        hint: an imperative for the user.
        detail: text that may differ between attempts; it does not make another cause.
    """

    text: str
    hint: str = ""
    detail: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.text} {self.detail}".rstrip()

    def with_detail(self, detail: str) -> Self:
        """Return the same cause with more detail."""
        return replace(self, detail=f"{self.detail} {detail}".strip())


@dataclass(eq=False)
class _Failing:
    """A period in which a fetch receives nothing; times are of its deadline's clock."""

    what: str
    limit: float
    since: float
    due: float
    interval: float = FIRST_REMINDER
    attempts: int = 0
    cause: Cause = Cause("")

    def line(self, now: float, others: int) -> str:
        """Return the console line; it also covers `others` more fetches with the same cause."""
        whose = f"{self.what} and {_count(others, 'other')}" if others else self.what
        tried = f"{_time(now - self.since)}, {_count(self.attempts, 'attempt')}"
        hint = f" ({self.cause.hint})" if self.cause.hint else ""
        end = f"giving up after {self.limit:g} s" if self.limit > 0 else NO_LIMIT
        return f"{whose}: failing for {tried}: {self.cause}{hint}; {end}"


_lock: Final = Lock()
_failing: Final[set[_Failing]] = set()
"""The failing fetches of this process."""


class RetryLog:
    """The log of one fetch, from its first attempt to its end; a context manager."""

    def __init__(self, what: str, deadline: Deadline) -> None:
        self._what = what
        self._deadline = deadline
        self._attempts = 0
        self._logged: set[Cause] = set()
        self._is_repeated = False
        self._period = self._new_period()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_period()

    def attempt(self) -> None:
        """Log the start of an attempt."""
        self._attempts += 1
        write = log.debug if self._is_repeated else log.info
        write(f"{self._what}: attempt #{self._attempts}")

    def failed(self, cause: Cause, *, progressed: bool) -> None:
        """Log a failed attempt; `progressed` if it received something."""
        self._is_repeated = cause in self._logged
        if not self._is_repeated:
            self._logged.add(cause)
            log.info(f"{self._what}: error: {cause}")
        if progressed:
            self._end_period()
            self._period = self._new_period()
        self._period.attempts += 1
        self._period.cause = cause
        if reminder := _reminder(self._period, self._deadline.now()):
            progress.report(reminder)

    def timed_out(self) -> TimedOut:
        """Return the error for an expired time limit."""
        last = self._period.cause
        tried = f"{self._deadline.total:g} s and {_count(self._attempts, 'attempt')}"
        return TimedOut(f"{self._what}: timed out after {tried}; last error: {last}", hint=last.hint)

    def _new_period(self) -> _Failing:
        now = self._deadline.now()
        return _Failing(self._what, self._deadline.total, now, now + FIRST_REMINDER)

    def _end_period(self) -> None:
        with _lock:
            _failing.discard(self._period)


def _reminder(period: _Failing, now: float) -> str:
    """Return the line for all fetches with the same cause if it is due, else ""; postpones all of them."""
    with _lock:
        _failing.add(period)
        if now < period.due:
            return ""
        alike = [each for each in _failing if each.cause == period.cause]
        interval = min(LONGEST_INTERVAL, 2 * max(each.interval for each in alike))
        for each in alike:
            each.interval, each.due = interval, now + interval
        return min(alike, key=lambda each: each.since).line(now, len(alike) - 1)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _time(seconds: float) -> str:
    """Format seconds for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
