# SPDX-License-Identifier: Apache-2.0
"""Actions that every stage uses: run a program, run actions in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import log, runcontext
from ignition.configpath import ConfigPath
from ignition.host import Host
from ignition.host.command import Command
from ignition.stages import Action, act

if TYPE_CHECKING:
    from threading import Event

__all__ = ["AT_ONCE", "Parallel", "RunCommand", "in_parallel"]

AT_ONCE: Final = 8


@dataclass(frozen=True)
class RunCommand:
    """Run one program; the command's `why` describes the action."""

    path: ConfigPath
    command: Command

    def describe(self) -> str:
        return self.command.why

    def perform(self, host: Host) -> None:
        host.run(self.command)


@dataclass(frozen=True)
class Parallel:
    """Independent actions, performed in parallel.

    When one fails, actions that have not begun do not begin, and actions that wait for a
    retry give up; the others run to their end. Then the first failure in the given order
    is raised. Log lines appear in the given order.

    Attributes:
        what: the description of the group.
        limit: the largest number of threads.
    """

    path: ConfigPath
    what: str
    actions: tuple[Action, ...]
    limit: int = AT_ONCE

    def describe(self) -> str:
        return self.what

    def perform(self, host: Host) -> None:
        """Perform all actions; a single one without a thread."""
        if len(self.actions) == 1:
            act(self.actions[0], host)
            return
        from concurrent.futures import ThreadPoolExecutor
        from contextvars import copy_context
        from threading import Event

        failures, failed = list[Exception](), Event()
        with ThreadPoolExecutor(min(self.limit, len(self.actions))) as pool:
            running = [
                pool.submit(copy_context().run, _act_held, action, host, failed) for action in self.actions
            ]
            for future in running:
                lines, failure = future.result()
                log.release(lines)
                if failure is not None:
                    failures.append(failure)
        if failures:
            raise failures[0]


def in_parallel(
    path: ConfigPath, what: str, actions: Iterable[Action], limit: int = AT_ONCE
) -> Iterator[Action]:
    """Yield independent actions as one `Parallel` action; a single action is yielded unchanged."""
    actions = tuple(actions)
    if len(actions) > 1:
        yield Parallel(path, what, actions, limit)
    else:
        yield from actions


def _act_held(action: Action, host: Host, failed: Event) -> tuple[list[log.Line], Exception | None]:
    """Perform one action in a thread of its own; return its log lines and its failure."""
    with (
        log.hold_lines() as lines,
        runcontext.entered(runcontext.current()._replace(cancelled=failed)),
    ):
        try:
            runcontext.check_cancelled()
            act(action, host)
        except runcontext.Cancelled:
            return [], None
        except Exception as error:  # noqa: BLE001  raised again by Parallel, in order
            failed.set()
            return lines, error
        return lines, None
