"""Actions that every stage uses."""

from __future__ import annotations

from dataclasses import dataclass

from ignition import log
from ignition.host import Host
from ignition.host.command import Command
from ignition.report import ConfigPath
from ignition.stages import Action, act
from ignition.state import State

__all__ = ["RunCommand", "Together"]


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

    All of them are brought to their end even if one fails; then the first
    failure, in the order given, is raised. Their log lines stay in that order.

    Attributes:
        limit: how many at once.
    """

    path: ConfigPath
    what: str
    actions: tuple[Action, ...]
    limit: int = 8

    def describe(self) -> str:
        """What the actions are, taken together."""
        return self.what

    def perform(self, host: Host) -> State:
        """Perform them all; a single one without a thread."""
        if len(self.actions) == 1:
            return act(self.actions[0], host)
        from concurrent.futures import ThreadPoolExecutor
        from contextvars import copy_context

        left, failures = State(), list[Exception]()
        with ThreadPoolExecutor(min(self.limit, len(self.actions))) as pool:
            running = [pool.submit(copy_context().run, _collect, action, host) for action in self.actions]
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


def _collect(action: Action, host: Host) -> tuple[list[log.Line], State | Exception]:
    """One action in a thread of its own; returns its log lines and its outcome."""
    with log.collected() as lines:
        try:
            return lines, act(action, host)
        except Exception as error:  # noqa: BLE001  raised again by Together, in order
            return lines, error
