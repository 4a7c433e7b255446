# SPDX-License-Identifier: Apache-2.0
"""The run context: it ends with its block, and cancellation wakes work that waits."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from contextvars import copy_context

import pytest

from ignition import runcontext
from ignition.runcontext import Cancelled, RunContext, check_cancelled, sleep


def cancelled_by(event: threading.Event) -> AbstractContextManager[None]:
    return runcontext.entered(runcontext.current()._replace(cancelled=event))


def test_context_after_block_is_the_outer_one_again() -> None:
    with runcontext.entered(RunContext(step="disks")):
        with runcontext.entered(runcontext.current()._replace(prefixes=("a",))):
            assert runcontext.current() == RunContext(step="disks", prefixes=("a",))
        assert runcontext.current() == RunContext(step="disks")
    assert runcontext.current() == RunContext()


def test_context_after_exception_is_the_outer_one_again() -> None:
    with pytest.raises(KeyError), runcontext.entered(RunContext(step="disks")):
        raise KeyError
    assert runcontext.current() == RunContext()


def test_sleep_in_cancelled_thread_raises_at_once() -> None:
    event = threading.Event()
    outcomes = []

    def wait() -> None:
        with cancelled_by(event):
            try:
                sleep(3600)
            except Cancelled:
                outcomes.append("cancelled")

    thread = threading.Thread(target=copy_context().run, args=(wait,))
    thread.start()
    event.set()
    thread.join()
    assert outcomes == ["cancelled"]


def test_sleep_without_cancellation_returns() -> None:
    with cancelled_by(threading.Event()):
        sleep(0)
        check_cancelled()
    sleep(0)
    check_cancelled()


def test_check_cancelled_with_set_event_raises() -> None:
    event = threading.Event()
    event.set()
    with cancelled_by(event), pytest.raises(Cancelled):
        check_cancelled()
    check_cancelled()


def test_cancelled_is_not_caught_as_a_failure() -> None:
    assert not issubclass(Cancelled, Exception)
