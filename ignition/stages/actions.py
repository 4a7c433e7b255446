"""Actions that every stage uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.boot.state import State
from ignition.cancel import Cancelled, cancelled_by, check
from ignition.configpath import ConfigPath
from ignition.host import Host
from ignition.host.command import Command
from ignition.stages import Action, act

if TYPE_CHECKING:
    from threading import Event

__all__ = ["AT_ONCE", "RunCommand", "Together", "side_by_side"]

AT_ONCE: Final = 8


@dataclass(frozen=True)
class RunCommand:
    """Run one program; the command itself says why."""

    path: ConfigPath
    command: Command

    def describe(self) -> str:
        """The command's reason."""
        return self.command.why

    def perform(self, host: Host) -> None:
        """Run it."""
        host.run(self.command)


@dataclass(frozen=True)
class Together:
    """Actions that do not depend on each other, performed side by side.

    When one fails, those that have not begun do not begin, and those that wait for
    something to be tried again give up; the others are brought to their end. Then the
    first failure, in the order given, is raised. Their log lines stay in that order.

    Attributes:
        limit: how many at once.
    """

    path: ConfigPath
    what: str
    actions: tuple[Action, ...]
    limit: int = AT_ONCE

    def describe(self) -> str:
        """What the actions are, taken together."""
        return self.what

    def perform(self, host: Host) -> State:
        """Perform them all; a single one without a thread."""
        if len(self.actions) == 1:
            return act(self.actions[0], host)
        from concurrent.futures import ThreadPoolExecutor
        from contextvars import copy_context
        from threading import Event

        left, failures, failed = State(), list[Exception](), Event()
        with ThreadPoolExecutor(min(self.limit, len(self.actions))) as pool:
            running = [
                pool.submit(copy_context().run, _collect, action, host, failed) for action in self.actions
            ]
            for future in running:
                lines, outcome = future.result()
                log.release(lines)
                if isinstance(outcome, State):
                    left = left + outcome
                else:
                    failures.append(outcome)
        if failures:
            raise failures[0]
        return left


def side_by_side(
    path: ConfigPath, what: str, actions: Iterable[Action], limit: int = AT_ONCE
) -> Iterator[Action]:
    """Actions that do not depend on each other as one; a single one stays as it is."""
    actions = tuple(actions)
    if len(actions) > 1:
        yield Together(path, what, actions, limit)
    else:
        yield from actions


def _collect(action: Action, host: Host, failed: Event) -> tuple[list[log.Line], State | Exception]:
    """One action in a thread of its own; returns its log lines and its outcome."""
    with log.collected() as lines, cancelled_by(failed):
        try:
            check()
            return lines, act(action, host)
        except Cancelled:
            return [], State()
        except Exception as error:  # noqa: BLE001  raised again by Together, in order
            failed.set()
            return lines, error
