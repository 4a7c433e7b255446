"""Try again until it works or time is up: the driver. It knows no protocol.

A machine's first boot races the rest of the site: DNS, DHCP routes and the very
server that holds its config may come up later than the machine. So every
failure that may pass is retried, for as long as the settings allow, and that is
without limit by default. What must not happen is that nobody learns why: each
new cause is logged, a lasting one again each minute with a count, and then on the
console of a boot as well.

Source: engine.md section 7.1 (figures), section 14 points 16 (what is better here).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from ignition import log
from ignition.errors import TimedOut
from ignition.host import progress

__all__ = ["SYSTEM_CLOCK", "Again", "Cause", "Clock", "Deadline", "Jitter", "delays", "jitter", "persist"]

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 5.0
SHORTEST_ATTEMPT: Final = 0.1
"""Seconds; with less than that left, another attempt could only fail for lack of time and hide why."""
REMINDER: Final = 60.0
"""Seconds between two log lines about one and the same failure."""

Result = TypeVar("Result")
Jitter = Callable[[float], float]
"""Makes of a delay in seconds the one that is really waited."""


class Clock(Protocol):
    """Time that passes; tests hand in one that they turn themselves."""

    def now(self) -> float:
        """Seconds from an arbitrary start, never going back."""

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class SystemClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        """Seconds since some moment before."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Do nothing for that many seconds."""
        time.sleep(seconds)


SYSTEM_CLOCK: Final = SystemClock()


@dataclass(frozen=True)
class Cause:
    """Why something failed, in the user's terms, and what to try."""

    text: str
    hint: str = ""


class Again(Exception):
    """Raised by a piece of work: this attempt failed, the next one may not.

    `wait` is how long the other side asked to be left alone, in seconds.
    `progressed` says that the attempt brought something, so the delays start anew.
    """

    def __init__(self, cause: Cause, *, wait: float = 0.0, progressed: bool = False) -> None:
        super().__init__(cause.text)
        self.cause = cause
        self.wait = wait
        self.progressed = progressed


class Deadline:
    """When everything has to be over; `total` is in seconds, 0 means never."""

    def __init__(self, clock: Clock, total: float) -> None:
        self._clock = clock
        self.total = total
        self.start = clock.now()

    def passed(self) -> float:
        """Seconds since the start."""
        return self._clock.now() - self.start

    def left(self) -> float:
        """Seconds that remain; infinite without a limit, never negative."""
        return max(0.0, self.total - self.passed()) if self.total > 0 else float("inf")


def jitter(delay: float) -> float:
    """Between half of the delay and all of it, so that a thousand machines do not ask in step."""
    import random

    return delay * random.uniform(0.5, 1.0)  # noqa: S311 (this is about spreading load, not about secrets)


def delays() -> Iterator[float]:
    """0.2 s, doubling, at most 5 s."""
    delay = FIRST_DELAY
    while True:
        yield delay
        delay = min(2 * delay, LONGEST_DELAY)


def persist(
    work: Callable[[Deadline], Result],
    *,
    what: str,
    total: float = 0.0,
    deadline: Deadline | None = None,
    clock: Clock = SYSTEM_CLOCK,
    spread: Jitter = jitter,
) -> Result:
    """Do the work until it does not raise `Again`.

    `what` names it in log lines ("GET http://…"); `total` limits all attempts and
    the pauses between them, in seconds, 0 for no limit. A `deadline` that is already
    running, because this is one of several steps, takes its place.

    Raises:
        TimedOut: it still failed when the time was up; says why it last failed.
    """
    deadline = deadline or Deadline(clock, total)
    history = _History(what, deadline)
    pauses = delays()
    while True:
        history.attempt()
        try:
            return work(deadline)
        except Again as caught:
            history.failed(caught.cause)
            if caught.progressed:
                pauses = delays()
            pause = spread(next(pauses))
            if caught.wait < deadline.left():
                pause = max(pause, caught.wait)
            if deadline.left() - pause < SHORTEST_ATTEMPT:
                raise history.timed_out(caught.cause) from caught
        clock.sleep(pause)


class _History:
    """What was tried, and what of it has been said."""

    def __init__(self, what: str, deadline: Deadline) -> None:
        self._what = what
        self._deadline = deadline
        self._attempts = 0
        self._last: Cause | None = None
        self._said_at = 0.0
        self._repeats = 0

    def attempt(self) -> None:
        self._attempts += 1
        say = log.debug if self._repeats else log.info
        say(f"{self._what}: attempt #{self._attempts}")

    def failed(self, cause: Cause) -> None:
        passed = self._deadline.passed()
        if cause != self._last:
            self._last, self._said_at, self._repeats = cause, passed, 0
            log.info(f"{self._what}: error: {cause.text}")
            return
        self._repeats += 1
        if passed - self._said_at >= REMINDER:
            self._said_at = passed
            hint = f" ({cause.hint})" if cause.hint else ""
            tried = f"{passed:.0f} s and {self._attempts} attempts"
            progress.say(f"{self._what}: still failing after {tried}: {cause.text}{hint}")

    def timed_out(self, cause: Cause) -> TimedOut:
        attempts = "1 attempt" if self._attempts == 1 else f"{self._attempts} attempts"
        return TimedOut(
            f"{self._what}: not in time ({self._deadline.total:g} s, {attempts}); last failure: {cause.text}",
            hint=cause.hint,
        )
