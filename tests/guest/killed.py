# SPDX-License-Identifier: Apache-2.0
"""Kill a provisioning at each command boundary and start it again.

A boundary is the point after one command that changes something and before the next one; commands that run in
parallel are killed while they run. An undisturbed run determines the number of boundaries. After the kill the
disks stage runs again, with `restarted` after a simulated restart of the machine. Then the stage must

- either finish, with the same result as an undisturbed run;
- or refuse with one of the case's `reasons`.

In both cases no byte may change on the devices that the case lists in `kept`.
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
    """Yield the problems of a case, boundary by boundary."""
    (step,) = case.steps
    _prepare(case, step)
    undisturbed = _run(step, logs)
    if wrong := [f"undisturbed: {each}" for each in (*_ended(undisturbed), *facts.differences(step.after))]:
        yield from wrong
        return
    for boundary in _boundaries(undisturbed):
        own: list[str] = []
        command = _name(undisturbed, boundary)
        where = f"killed {boundary} of {len(undisturbed.commands)} ({command} in an undisturbed run)"
        if wrong := [f"{where}: {each}" for each in _disturbed(case, step, boundary, own)]:
            logs += [where, *own]
        yield from wrong


def _boundaries(ran: Ran) -> Iterator[Boundary]:
    """Yield the boundaries: before each command, and after the last one."""
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
    # The kernel may have detected partitions by itself; then there is one command fewer.
    if broken_off.status not in {0, -signal.SIGKILL}:
        yield f"not killed: exit status {broken_off.status}"
    if step.is_restarted:
        trial.restart()
    again = _run(step, logs)
    if again.status == 1 and step.reasons:
        yield from trial.faults(again)
        if not any(re.search(pattern, again.log) for pattern in step.reasons):
            yield f"refused without one of the reasons {', '.join(step.reasons)}"
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
        yield f"exit status {ran.status}"
    yield from trial.faults(ran)
