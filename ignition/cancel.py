"""Work that goes on side by side, and is not wanted any more when one part of it has failed.

    event = threading.Event()
    with cancelled_by(event):            in the thread, or the context, of each part
        sleep(5)                         ends at once when somebody sets the event

What waits for long, or again and again, asks here; what is over soon goes on to its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

__all__ = ["Cancelled", "cancelled_by", "check", "sleep"]

_event: ContextVar[Event | None] = ContextVar("event", default=None)


class Cancelled(BaseException):
    """This part is not wanted any more. No `Exception`: it is no failure, and nobody is to try again."""


@contextmanager
def cancelled_by(event: Event) -> Iterator[None]:
    """What is done inside is not wanted any more when the event is set."""
    token = _event.set(event)
    try:
        yield
    finally:
        _event.reset(token)


def check() -> None:
    """Go on, if it is still wanted.

    Raises:
        Cancelled: it is not.
    """
    event = _event.get()
    if event is not None and event.is_set():
        raise Cancelled


def sleep(seconds: float) -> None:
    """Do nothing for so many seconds.

    Raises:
        Cancelled: what comes after it is not wanted any more.
    """
    event = _event.get()
    if event is None:
        time.sleep(seconds)
    elif event.wait(seconds):
        raise Cancelled
