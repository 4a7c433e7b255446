"""What the disks stage will have done to arrays, and what is lost by it. For previews."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ignition.preview.effects import Does, Effect, flat, open_question
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.disks.raid.step import MakeArray
from ignition.tools import mdadm

if TYPE_CHECKING:
    from ignition.preview.host import PreviewHost

__all__ = ["effects", "foresee"]


def effects(plan: Plan) -> Iterator[Effect]:
    """What becomes of each array that the plan is about."""
    for line in plan.keeps:
        yield Effect((), Does.KEEP, line)
    for action in _made(plan):
        what, members = f"array {action.array.name}", f"of {', '.join(action.array.devices)}"
        if action.is_there:
            yield Effect(action.path, Does.KEEP, what, f"{members}; it is started")
        else:
            does = Does.DESTROY if action.replaces else Does.CREATE
            yield Effect(action.path, does, what, f"{action.array.level}, {members}", lost=action.replaces)


def foresee(config: Config, plan: Plan, host: PreviewHost) -> None:
    """What is on arrays that a preview does not start, nobody can tell."""
    if plan.refusals:
        for index, array in enumerate(config.storage.raid):
            why = open_question(("storage", "raid", index))
            host.devices.may_make([mdadm.device_of(array.name)], why)
    for action in _made(plan):
        if action.is_there:
            device = mdadm.device_of(action.array.name)
            host.devices.may_make([device], f"{device} does not run, so what is on it cannot be seen")


def _made(plan: Plan) -> Iterator[MakeArray]:
    return (action for action in flat(plan.actions) if isinstance(action, MakeArray))
