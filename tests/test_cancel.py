"""What waits for long ends when it is not wanted any more."""

from __future__ import annotations

import threading
from contextvars import copy_context

import pytest

from ignition import cancel
from ignition.cancel import Cancelled, cancelled_by


def test_whoever_waits_is_woken() -> None:
    event = threading.Event()
    outcomes = []

    def wait() -> None:
        with cancelled_by(event):
            try:
                cancel.sleep(3600)
            except Cancelled:
                outcomes.append("woken")

    thread = threading.Thread(target=copy_context().run, args=(wait,))
    thread.start()
    event.set()
    thread.join()
    assert outcomes == ["woken"]


def test_what_is_wanted_goes_on() -> None:
    with cancelled_by(threading.Event()):
        cancel.sleep(0)
        cancel.check()
    cancel.sleep(0)
    cancel.check()


def test_what_is_not_wanted_any_more_does_not_begin() -> None:
    event = threading.Event()
    event.set()
    with cancelled_by(event), pytest.raises(Cancelled):
        cancel.check()
    cancel.check()


def test_it_is_no_failure() -> None:
    assert not issubclass(Cancelled, Exception)
