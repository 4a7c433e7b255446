"""One case, step by step: disks before, config, disks after, and all of it once more."""

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
"""Seconds after which late disks arrive."""


def restart() -> None:
    """Close and stop all that is built on disks, forget what stages left, and look at the disks anew."""
    world.free()
    forget()
    world.look_again()


_used = set[str]()
"""The disks on which the last case may have left something."""


def begin(case: Case) -> None:
    """Empty disks, and nobody knows of anything that was on them.

    Those of the case before are emptied too: udev would start half of an array that was left there, under the
    name that this case wants for its own.
    """
    world.free()
    forget()
    world.empty("".join(sorted(_used | set(case.disks))))
    _used.clear()
    _used.update(case.disks)


def prepare(step: Step) -> None:
    """Disks as a provisioning wants them before."""
    if step.is_restarted:
        restart()
    world.shell(step.before, "before")
    world.settle()


def problems(case: Case, logs: list[str]) -> Iterator[str]:
    """What does not hold; the engine's logs are added to `logs`."""
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
        yield from before.writes("although there was nothing to do")
    yield from before.changed()
    yield from facts.differences(step.after)
    if step.again != "not tried":
        yield from (f"the second time: {problem}" for problem in _again(case, step, before, logs))


def _again(case: Case, step: Step, first: Before, logs: list[str]) -> Iterator[str]:
    before = Before(case, step, first.digests)
    ran = _run(step, logs, beside=False)
    if step.again == "is refused":
        if ran.status != 1:
            yield f"it is not refused: status {ran.status}"
    elif ran.status != 0:
        yield f"status {ran.status}"
    yield from faults(ran)
    if step.again in {"writes nothing", "is refused"}:
        yield from before.writes("although all was as the config says")
    yield from before.changed()
    if ran.status == 0:
        yield from facts.differences(step.after)


def _run(step: Step, logs: list[str], *, beside: bool = True) -> Ran:
    beside_it: Callable[[], None] = partial(_beside, step) if beside else lambda: None
    if beside and step.late:
        world.Late(step.late).detach()
    ran = provision(_said(step.config), step.stages, meanwhile=beside_it)
    logs.append(ran.log)
    world.settle()
    return ran


def _said(config: str) -> str:
    """A config with what the commands before it have written into files of the place, for each `%name%`."""
    return re.sub(r"%([a-z]+)%", lambda name: (world.PLACE / name[1]).read_text(encoding="utf-8"), config)


def _beside(step: Step) -> None:
    if step.late:
        time.sleep(ARRIVAL)
        world.Late(step.late).arrive()


def _judged(step: Step, ran: Ran) -> Iterator[str]:
    """In what a run did not end as the case says."""
    expected = 0 if step.verdict == "made" else 1
    if ran.status != expected:
        yield f"the engine ended with status {ran.status}, and should be {step.verdict}"
    for pattern in (*step.says, *step.logs):
        if not re.search(pattern, ran.log):
            yield f"the log does not say /{pattern}/"
    yield from faults(ran)


def faults(ran: Ran) -> Iterator[str]:
    """What no run may say."""
    for text in ENGINE_FAULTS:
        if text in ran.log:
            yield f'the log says "{text}"'


class Before:
    """What was on the disks of a case before something was done."""

    def __init__(self, case: Case, step: Step, digests: Mapping[str, str] | None = None) -> None:
        self.digests = {device: world.digest(device) for device in step.kept} if digests is None else digests
        self._disks = case.disks
        self._counts = world.written(case.disks)

    def changed(self) -> Iterator[str]:
        """Devices that are not, byte for byte, what they were."""
        if world.written(self._disks) == self._counts:
            return  # nothing was written anywhere
        for device, digest in self.digests.items():
            if world.digest(device) != digest:
                yield f"{device} is not what it was"

    def writes(self, although: str) -> Iterator[str]:
        """What was written to which disk."""
        now = world.written(self._disks)
        for letter, count in self._counts.items():
            if now.get(letter) != count:
                yield f"{now.get(letter, 0) - count} sectors of disk {letter} were written {although}"
