# SPDX-License-Identifier: Apache-2.0
"""Run one case: disks before, config, disks after, and a second run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from tests.guest import facts, world
from tests.guest.cases import Case, Step
from tests.guest.provision import Ran, forget, provision

__all__ = ["Before", "begin", "faults", "prepare", "problems", "restart"]

ENGINE_FAULTS = ("Traceback (most recent call last)", "internal error: ")
ARRIVAL = 3.0
"""Seconds after which late disks are attached."""


def restart() -> None:
    """Simulate a restart: stop all devices on the disks, remove the files of stages, trigger udev."""
    world.free()
    forget()
    world.trigger()


_used = set[str]()
"""Letters of the disks that the last case has used."""


def begin(case: Case) -> None:
    """Stop all devices and empty the disks of the case.

    The disks of the previous case are emptied too. Otherwise udev could assemble a part of an old array under
    the name that this case uses.
    """
    world.free()
    forget()
    world.empty("".join(sorted(_used | set(case.disks))))
    _used.clear()
    _used.update(case.disks)


def prepare(step: Step) -> None:
    """Prepare the disks for a provisioning."""
    if step.is_restarted:
        restart()
    world.shell(step.before, "before")
    world.settle()


def problems(case: Case, logs: list[str]) -> Iterator[str]:
    """Yield the problems of a case; add the engine's logs to `logs`."""
    for number, step in enumerate(case.steps, 1):
        prefix = f"provisioning {number}: " if len(case.steps) > 1 else ""
        for problem in _step(case, step, logs):
            yield f"{prefix}{problem}"


def _step(case: Case, step: Step, logs: list[str]) -> Iterator[str]:
    prepare(step)
    before = Before(case, step)
    ran = _run(step, logs)
    yield from _judged(step, ran)
    if step.writes == "nothing":
        yield from before.writes("by a run that must write nothing")
    yield from before.changed()
    yield from facts.differences(step.after)
    if step.again != "not tried":
        yield from (f"second run: {problem}" for problem in _again(case, step, before, logs))


def _again(case: Case, step: Step, first: Before, logs: list[str]) -> Iterator[str]:
    before = Before(case, step, first.digests)
    ran = _run(step, logs, beside=False)
    if step.again == "is refused":
        if ran.status != 1:
            yield f"not refused: exit status {ran.status}"
    elif ran.status != 0:
        yield f"exit status {ran.status}"
    yield from faults(ran)
    if step.again in {"writes nothing", "is refused"}:
        yield from before.writes("by a second run")
    yield from before.changed()
    if ran.status == 0:
        yield from facts.differences(step.after)


def _run(step: Step, logs: list[str], *, beside: bool = True) -> Ran:
    beside_it: Callable[[], None] = partial(_beside, step) if beside else lambda: None
    if beside and step.late:
        world.Late(step.late).detach()
    ran = provision(_substituted(step.config), step.stages, meanwhile=beside_it)
    logs.append(ran.log)
    world.settle()
    return ran


def _substituted(config: str) -> str:
    """Replace each `%name%` in a config by the content of the file `/run/case/name`."""
    return re.sub(r"%([a-z]+)%", lambda name: (world.PLACE / name[1]).read_text(encoding="utf-8"), config)


def _beside(step: Step) -> None:
    if step.late:
        time.sleep(ARRIVAL)
        world.Late(step.late).arrive()


def _judged(step: Step, ran: Ran) -> Iterator[str]:
    """Yield the differences between the result of a run and the expected result."""
    expected = 0 if step.verdict == "made" else 1
    if ran.status != expected:
        yield f"exit status {ran.status}, expected {expected} ({step.verdict})"
    for pattern in (*step.says, *step.logs):
        if not re.search(pattern, ran.log):
            yield f"no match for /{pattern}/ in the log"
    yield from faults(ran)


def faults(ran: Ran) -> Iterator[str]:
    """Yield texts in the log that show a bug of the engine."""
    for text in ENGINE_FAULTS:
        if text in ran.log:
            yield f'the log contains "{text}"'


class Before:
    """State of the disks of a case before a run."""

    def __init__(self, case: Case, step: Step, digests: Mapping[str, str] | None = None) -> None:
        self.digests = {device: world.digest(device) for device in step.kept} if digests is None else digests
        self._disks = case.disks
        self._counts = world.written(case.disks)

    def changed(self) -> Iterator[str]:
        """Yield the kept devices whose bytes have changed."""
        if world.written(self._disks) == self._counts:
            return  # nothing was written anywhere
        for device, digest in self.digests.items():
            if world.digest(device) != digest:
                yield f"{device} has changed"

    def writes(self, by: str) -> Iterator[str]:
        """Yield the number of sectors that were written to each disk."""
        now = world.written(self._disks)
        for letter, count in self._counts.items():
            if now.get(letter) != count:
                yield f"{now.get(letter, 0) - count} sectors of disk {letter} were written {by}"
