"""Try again until it works or time is up: the driver. It knows no protocol.

A machine's first boot races the rest of the site: DNS, DHCP routes and the very
server that holds its config may come up later than the machine. So every
failure that may pass is retried, for as long as the settings allow, and that is
without limit by default. What must not happen is that nobody learns why (`history`).

Source: engine.md section 7.1 (figures), section 14 points 16 (what is better here).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeVar

from ignition import runcontext
from ignition.resource.retry_log import Cause, History

__all__ = ["SYSTEM_CLOCK", "Again", "Clock", "Deadline", "Jitter", "delays", "jitter", "persist"]

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 5.0
SHORTEST_ATTEMPT: Final = 0.1
"""Seconds; with less than that left, another attempt could only fail for lack of time and hide why."""

Result = TypeVar("Result")
Jitter = Callable[[float], float]
"""Makes of a delay in seconds the one that is really waited."""


class Clock(Protocol):
    """Time that passes; tests hand in one that they turn themselves."""

    def now(self) -> float:
        """Seconds from an arbitrary start, never going back."""

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds, if it is still wanted then (`ignition.runcontext`)."""


class SystemClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        """Seconds since some moment before."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Do nothing for that many seconds."""
        runcontext.sleep(seconds)


SYSTEM_CLOCK: Final = SystemClock()


class Again(Exception):
    """Raised by a piece of work: this attempt failed, the next one may not.

    `wait` is how long the other side asked to be left alone, in seconds.
    `progressed` says that the attempt brought something, so the delays start anew.
    """

    def __init__(self, cause: Cause, *, wait: float = 0.0, progressed: bool = False) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.wait = wait
        self.progressed = progressed


class Deadline:
    """When everything has to be over; `total` is in seconds, 0 means never."""

    def __init__(self, clock: Clock, total: float) -> None:
        self._clock = clock
        self.total = total
        self._end = clock.now() + total

    def now(self) -> float:
        """The clock's time."""
        return self._clock.now()

    def left(self) -> float:
        """Seconds that remain; infinite without a limit, never negative."""
        return max(0.0, self._end - self.now()) if self.total > 0 else float("inf")


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
    pauses = delays()
    with History(what, deadline) as history:
        while True:
            history.attempt()
            try:
                return work(deadline)
            except Again as caught:
                history.failed(caught.cause, progressed=caught.progressed)
                if caught.progressed:
                    pauses = delays()
                pause = spread(next(pauses))
                if caught.wait < deadline.left():
                    pause = max(pause, caught.wait)
                if deadline.left() - pause < SHORTEST_ATTEMPT:
                    raise history.timed_out() from caught
            clock.sleep(pause)
