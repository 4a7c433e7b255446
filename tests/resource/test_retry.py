# SPDX-License-Identifier: Apache-2.0
"""The retry loop: delays, jitter, time limits."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.errors import TimedOut
from ignition.resource.clock import Deadline
from ignition.resource.retry import Retry, delays, jitter, retried
from ignition.resource.retry_log import Cause
from tests.lab.logged import Log
from tests.resource.conftest import FakeClock, no_jitter

REFUSED = Cause("connection refused", "is it up?")


class Work:
    """Raises the failures in turn, then returns a result."""

    def __init__(self, *failures: Retry) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self, deadline: Deadline) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def always_refused(deadline: Deadline) -> str:
    raise Retry(REFUSED)


def test_delays_double_up_to_five_seconds() -> None:
    assert list(islice(delays(), 8)) == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


@given(st.floats(0.001, 100))
def test_jitter_stays_within_the_reference_figure(delay: float) -> None:
    assert delay / 2 <= jitter(delay) <= delay


def test_retried_calls_work_until_success(clock: FakeClock) -> None:
    work = Work(*[Retry(REFUSED)] * 10)
    assert retried(work, what="GET x", clock=clock, spread=no_jitter) == "done"
    assert work.calls == 11
    assert sum(clock.slept) == pytest.approx(31.2)


def test_instant_failures_make_28_attempts_in_two_minutes(clock: FakeClock) -> None:
    with pytest.raises(TimedOut) as caught:
        retried(always_refused, what="GET http://h/", total=120, clock=clock, spread=no_jitter)
    assert (
        str(caught.value)
        == "GET http://h/: timed out after 120 s and 28 attempts; last error: connection refused"
    )
    assert caught.value.hint == "is it up?"
    assert clock.time - 1000 <= 120


def test_retry_with_success_logs_only_info(clock: FakeClock, logged: Log) -> None:
    retried(Work(Retry(REFUSED)), what="GET x", clock=clock, spread=no_jitter)
    assert {level for level, _ in logged.lines} == {"info"}
    assert logged.lines[0] == ("info", "GET x: attempt #1")


def test_wait_of_server_replaces_shorter_delay(clock: FakeClock) -> None:
    retried(Work(Retry(REFUSED, wait=30)), what="GET x", clock=clock, spread=no_jitter)
    assert clock.slept == [30]


def test_wait_beyond_time_limit_is_ignored(clock: FakeClock) -> None:
    retried(Work(Retry(REFUSED, wait=30)), what="GET x", total=20, clock=clock, spread=no_jitter)
    assert clock.slept == [0.2]


def test_attempt_without_time_left_is_not_started(clock: FakeClock) -> None:
    left: list[float] = []

    def work(deadline: Deadline) -> str:
        left.append(deadline.left())
        raise Retry(REFUSED)

    with pytest.raises(TimedOut):
        retried(work, what="GET x", total=3.05, clock=clock, spread=no_jitter)
    assert left == pytest.approx([3.05, 2.85, 2.45, 1.65])


def test_progress_resets_delays(clock: FakeClock) -> None:
    failures = [Retry(REFUSED), Retry(REFUSED), Retry(REFUSED, progressed=True), Retry(REFUSED)]
    retried(Work(*failures), what="GET x", clock=clock, spread=no_jitter)
    assert clock.slept == [0.2, 0.4, 0.2, 0.4]


def test_unexpected_error_is_not_retried(clock: FakeClock) -> None:
    def broken(deadline: Deadline) -> str:
        raise ValueError("a mistake in the program")

    with pytest.raises(ValueError, match="a mistake"):
        retried(broken, what="GET x", clock=clock)
    assert not clock.slept


@pytest.mark.parametrize("total", [0, -1])
def test_total_of_zero_or_less_is_no_limit(clock: FakeClock, total: float) -> None:
    assert Deadline(clock, total).left() == float("inf")
