# SPDX-License-Identifier: Apache-2.0
"""The context in which an action runs: log prefix, record entry, persistence, cancellation.

One immutable value travels with each thread of work. `entered` replaces it for a block; a thread that works
for an action starts with a copy (`contextvars.copy_context`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from threading import Event
    from typing import Protocol

    class Entry(Protocol):
        """The open record entry of one action (`ignition.boot.record`)."""

        def add_change(self, change: Any, /) -> None:
            """Note that a path of the target root changed (`ignition.host.files.path_change`)."""

        def add_command(self, argv: tuple[str, ...], status: int, /) -> None:
            """Note a program that ran, secrets hidden, and its exit status."""


__all__ = ["Cancelled", "RunContext", "check_cancelled", "current", "entered", "sleep"]


class RunContext(NamedTuple):
    """Everything that steers an action and is not an argument of it.

    Attributes:
        prefixes: log prefixes, outermost first: stage, step, operation.
        held_lines: receives the log lines instead of the log's sink; None outside of parallel work.
        recorder: the provisioning record that is written (`ignition.boot.record.Record`), or None.
        step: the name of the step, for the record.
        entry: the record entry of the action that runs, or None.
        persist: takes the state that an action hands on (`ignition.boot.state.State`), or None.
        cancelled: set when the work is no longer wanted, or None.
    """

    prefixes: tuple[str, ...] = ()
    held_lines: list[tuple[int, str]] | None = None
    recorder: object = None
    step: str = ""
    entry: Entry | None = None
    persist: Callable[[Any], None] | None = None
    cancelled: Event | None = None


_OUTERMOST: Final = RunContext()
_current: ContextVar[RunContext] = ContextVar("run_context", default=_OUTERMOST)

current = _current.get
"""Return the context of the running thread."""


@contextmanager
def entered(context: RunContext) -> Iterator[None]:
    """Use `context` inside the block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


class Cancelled(BaseException):
    """The work is no longer wanted because parallel work failed.

    Not an `Exception`: it is not a failure, and retries must not catch it.
    """


def check_cancelled() -> None:
    """Raise `Cancelled` if the work is no longer wanted."""
    event = _current.get().cancelled
    if event is not None and event.is_set():
        raise Cancelled


def sleep(seconds: float) -> None:
    """Wait; raise `Cancelled` at once when the work is no longer wanted."""
    event = _current.get().cancelled
    if event is None:
        time.sleep(seconds)
    elif event.wait(seconds):
        raise Cancelled
