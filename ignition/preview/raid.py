# SPDX-License-Identifier: Apache-2.0
"""The adapter of the step that creates RAID arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ignition.boot.state import State
from ignition.preview.adapter import Adapter
from ignition.preview.effects import Does, Effect, flat, open_question
from ignition.preview.host import PreviewHost
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.disks.raid.step import MakeArray
from ignition.tools import mdadm

__all__ = ["Arrays"]


class Arrays(Adapter):
    """Each RAID array that the plan creates, starts or keeps."""

    handles_refusals = True

    def effects(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for line in plan.keeps:
            yield Effect((), Does.KEEP, line)
        for action in _made(plan):
            what, members = f"RAID array {action.array.name}", f"of {', '.join(action.array.devices)}"
            if action.is_there:
                yield Effect(action.path, Does.KEEP, what, f"{members}; it is started")
            else:
                does = Does.DESTROY if action.replaces else Does.CREATE
                detail = f"{action.array.level}, {members}"
                yield Effect(action.path, does, what, detail, lost=action.replaces)

    def predict(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> State:
        """Mark arrays uncertain that are refused, or that exist and are not running: previews start none."""
        if plan.refusals:
            for index, array in enumerate(config.storage.raid):
                why = open_question(("storage", "raid", index))
                host.devices.predict_uncertain([mdadm.device_of(array.name)], why)
        for action in _made(plan):
            if action.is_there:
                device = mdadm.device_of(action.array.name)
                host.devices.predict_uncertain([device], f"{device} is not running, its contents are unknown")
        return State()


def _made(plan: Plan) -> Iterator[MakeArray]:
    return (action for action in flat(plan.actions) if isinstance(action, MakeArray))
