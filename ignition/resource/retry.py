# SPDX-License-Identifier: Apache-2.0
"""The retry loop, for every protocol.

At a machine's first boot, DNS, DHCP routes and the server of its config may come up later than the machine.
So every transient failure is retried as long as the settings allow, by default without a limit. The
retry log (`retry_log`) tells the user why. Source: docs/reference/fetching.md, "Retries and timeouts".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from ignition.resource.clock import SYSTEM_CLOCK, Clock, Deadline
from ignition.resource.retry_log import Cause, RetryLog

__all__ = ["Jitter", "Retry", "delays", "jitter", "retried"]

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 5.0
SHORTEST_ATTEMPT: Final = 0.1
"""Seconds; an attempt with less time left could only time out and hide the real cause."""

Result = TypeVar("Result")
Jitter = Callable[[float], float]
"""Turns a delay in seconds into the delay that is used."""


class Retry(Exception):
    """A transient failure, raised by an attempt that is to be retried.

    Attributes:
        cause: why it failed.
        wait: seconds that the server asked to wait (`Retry-After`).
        progressed: whether the attempt received something, which resets the delays.
    """

    def __init__(self, cause: Cause, *, wait: float = 0.0, progressed: bool = False) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.wait = wait
        self.progressed = progressed


def jitter(delay: float) -> float:
    """Return a random delay of half to all of `delay`, so that many machines do not retry in step."""
    import random

    return delay * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, not used for security)


def delays() -> Iterator[float]:
    """Yield 0.2 s, doubling up to 5 s."""
    delay = FIRST_DELAY
    while True:
        yield delay
        delay = min(2 * delay, LONGEST_DELAY)


def retried(
    work: Callable[[Deadline], Result],
    *,
    what: str,
    total: float = 0.0,
    deadline: Deadline | None = None,
    clock: Clock = SYSTEM_CLOCK,
    spread: Jitter = jitter,
) -> Result:
    """Call `work` until it does not raise `Retry`.

    Args:
        work: one attempt.
        what: names it in log lines ("GET http://…").
        total: time limit of all attempts and delays, in seconds; 0 for none.
        deadline: a running deadline that replaces `total`, for one of several steps.
        clock: the clock.
        spread: the jitter.

    Raises:
        TimedOut: the time limit expired; names the last cause.
    """
    deadline = deadline or Deadline(clock, total)
    pauses = delays()
    with RetryLog(what, deadline) as retry_log:
        while True:
            retry_log.attempt()
            try:
                return work(deadline)
            except Retry as caught:
                retry_log.failed(caught.cause, progressed=caught.progressed)
                if caught.progressed:
                    pauses = delays()
                pause = spread(next(pauses))
                if caught.wait < deadline.left():
                    pause = max(pause, caught.wait)
                if deadline.left() - pause < SHORTEST_ATTEMPT:
                    raise retry_log.timed_out() from caught
            clock.sleep(pause)
