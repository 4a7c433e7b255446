# SPDX-License-Identifier: Apache-2.0
"""Log lines and console lines of failing fetches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ignition.host import progress
from ignition.resource.clock import Deadline
from ignition.resource.retry import Retry, retried
from ignition.resource.retry_log import FIRST_REMINDER, NO_LIMIT, Cause, RetryLog
from tests.lab.logged import Log
from tests.resource.conftest import FakeClock, no_jitter

REFUSED = Cause("connection refused", "is it up?")
NO_ROUTE = Cause("no route to the host")


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines on the console."""
    lines: list[str] = []
    monkeypatch.setattr(progress, "report", lines.append)
    return lines


def failing(*causes: Cause, times: int = 1, progressed: bool = False) -> Callable[[Deadline], None]:
    """Return work that fails `times` times, with these causes in turn, then succeeds."""
    left = [causes[turn % len(causes)] for turn in range(times)]

    def work(_: Deadline) -> None:
        if left:
            raise Retry(left.pop(0), progressed=progressed)

    return work


def fetch(work: Callable[[Deadline], None], clock: FakeClock) -> None:
    retried(work, what="GET http://h/", clock=clock, spread=no_jitter)


def test_hour_of_failures_shows_ten_console_lines(clock: FakeClock, console: list[str]) -> None:
    fetch(failing(REFUSED, times=720), clock)
    assert clock.time - 1000 > 3500
    times = [re.search(r"failing for (\d+ \w+), \d+ attempts", line) for line in console]
    assert [found and found[1] for found in times] == [
        "11 s", "31 s", "71 s", "2 min", "5 min", "10 min", "20 min", "30 min", "40 min", "50 min",
    ]  # fmt: skip


def test_console_line_names_fetch_duration_cause_hint_and_limit(clock: FakeClock, console: list[str]) -> None:
    """The line names the setting that would limit the retries."""
    fetch(failing(REFUSED, times=8), clock)
    assert console == [
        f"GET http://h/: failing for 11 s, 7 attempts: connection refused (is it up?); {NO_LIMIT}"
    ]
    assert "ignition.timeouts.httpTotal" in NO_LIMIT


def test_console_line_names_time_limit(clock: FakeClock, console: list[str]) -> None:
    retried(failing(REFUSED, times=8), what="GET x", total=120, clock=clock, spread=no_jitter)
    assert console[0].endswith("connection refused (is it up?); giving up after 120 s")


def test_failure_below_ten_seconds_shows_no_console_line(clock: FakeClock, console: list[str]) -> None:
    fetch(failing(REFUSED, times=5), clock)
    assert clock.time - 1000 < FIRST_REMINDER
    assert console == []


def test_alternating_causes_are_logged_once_each(clock: FakeClock, console: list[str], logged: Log) -> None:
    fetch(failing(REFUSED, NO_ROUTE, times=100), clock)
    assert [line for line in logged.of("info") if "error" in line] == [
        "GET http://h/: error: connection refused",
        "GET http://h/: error: no route to the host",
    ]
    assert sum("attempt #" in line for line in logged.of("info")) == 3
    assert 4 <= len(console) <= 7


def test_cause_with_other_detail_is_logged_once(clock: FakeClock, logged: Log) -> None:
    fetch(failing(*(NO_ROUTE.with_detail(f"(by way {n})") for n in range(50)), times=50), clock)
    assert [line for line in logged.of("info") if "error" in line] == [
        "GET http://h/: error: no route to the host (by way 0)"
    ]


def test_slow_progress_shows_no_console_line(clock: FakeClock, console: list[str]) -> None:
    fetch(failing(REFUSED, times=500, progressed=True), clock)
    assert clock.time - 1000 > 2 * FIRST_REMINDER
    assert console == []


@contextmanager
def retry_logs(clock: FakeClock, number: int) -> Iterator[list[RetryLog]]:
    with ExitStack() as stack:
        yield [stack.enter_context(RetryLog(f"GET {n}", Deadline(clock, 0))) for n in range(number)]


def test_fetches_with_same_cause_share_console_line(clock: FakeClock, console: list[str]) -> None:
    with retry_logs(clock, 9) as logs:
        *alike, other = logs
        for _ in range(100):
            clock.time += 1
            for retry_log in alike:
                retry_log.attempt()
                retry_log.failed(REFUSED, progressed=False)
            other.failed(NO_ROUTE, progressed=False)
    others = [line.partition(":")[0].partition(" and ")[2] for line in console if "refused" in line]
    assert others == ["7 others"] * 3
    assert [line.partition(":")[0] for line in console if "route" in line] == ["GET 8"] * 3


def test_later_fetch_with_same_cause_keeps_long_interval(clock: FakeClock, console: list[str]) -> None:
    with retry_logs(clock, 1) as [first]:
        for _ in range(100):
            clock.time += 1
            first.failed(REFUSED, progressed=False)
        console.clear()
        with retry_logs(clock, 1) as [second]:
            for _ in range(400):
                clock.time += 1
                first.failed(REFUSED, progressed=False)
                second.failed(REFUSED, progressed=False)
    assert len(console) == 2
    assert all(line.startswith("GET 0 and 1 other: ") for line in console)


def test_ended_fetch_is_not_counted_in_console_line(clock: FakeClock, console: list[str]) -> None:
    with retry_logs(clock, 2) as [_, second]:
        second.failed(REFUSED, progressed=False)
    with retry_logs(clock, 1) as [third]:
        clock.time += FIRST_REMINDER
        third.failed(REFUSED, progressed=False)
    assert console == [f"GET 0: failing for 10 s, 1 attempt: connection refused (is it up?); {NO_LIMIT}"]
