"""A provisioning that is killed, and started again: at every boundary, and nothing may be worse for it.

A boundary is where one command that changes something has ended and the next has not begun, as far as the
engine's own order goes: what runs beside it is killed on its way. How many there are, an undisturbed run
tells. Killed at one and started again on the same system, or with `restarted` on one that was started anew,
the disks stage

- either finishes, and then all holds that holds after an undisturbed run;
- or refuses, and then it names the reason: the case's `reasons` are what it may name.

In both cases not a byte has changed on the devices that the case calls `kept`.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import replace

from tests.guest import facts, trial, world
from tests.guest.cases import Case, Step
from tests.guest.provision import Boundary, Ran, provision

__all__ = ["problems"]


def problems(case: Case, logs: list[str]) -> Iterator[str]:
    """What does not hold, boundary by boundary."""
    (step,) = case.steps
    _prepare(case, step)
    undisturbed = _run(step, logs)
    if wrong := [f"undisturbed: {each}" for each in (*_ended(undisturbed), *facts.differences(step.after))]:
        yield from wrong
        return
    for boundary in _boundaries(undisturbed):
        own: list[str] = []
        where = f"killed {boundary} of {len(undisturbed.commands)}, mostly {_name(undisturbed, boundary)}"
        if wrong := [f"{where}: {each}" for each in _disturbed(case, step, boundary, own)]:
            logs += [where, *own]
        yield from wrong


def _boundaries(ran: Ran) -> Iterator[Boundary]:
    """Before each command, and after the last one."""
    for number in range(1, len(ran.commands) + 1):
        yield Boundary(number)
    yield Boundary(len(ran.commands), after=True)


def _name(ran: Ran, boundary: Boundary) -> str:
    return ran.commands[boundary.number - 1][:80]


def _prepare(case: Case, step: Step) -> None:
    trial.begin(case)
    trial.prepare(replace(step, is_restarted=False))


def _disturbed(case: Case, step: Step, boundary: Boundary, logs: list[str]) -> Iterator[str]:
    _prepare(case, step)
    before = trial.Before(case, step)
    broken_off = _run(step, logs, boundary)
    # The kernel may have seen partitions by itself, and there was a command less.
    if broken_off.status not in {0, -signal.SIGKILL}:
        yield f"was not killed: status {broken_off.status}"
    if step.is_restarted:
        trial.restart()
    again = _run(step, logs)
    if again.status == 1 and step.reasons:
        yield from trial.faults(again)
        if not any(re.search(pattern, again.log) for pattern in step.reasons):
            yield f"refused, and names none of {', '.join(step.reasons)}"
    else:
        yield from _ended(again)
        yield from facts.differences(step.after)
    yield from before.changed()


def _run(step: Step, logs: list[str], die: Boundary | None = None) -> Ran:
    ran = provision(step.config, step.stages, die=die)
    logs.append(ran.log)
    world.settle()
    return ran


def _ended(ran: Ran) -> Iterator[str]:
    if ran.status != 0:
        yield f"status {ran.status}"
    yield from trial.faults(ran)
