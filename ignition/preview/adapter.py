# SPDX-License-Identifier: Apache-2.0
"""The interface between previews and steps: an adapter derives effects and predictions from a step's plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ignition.boot.state import State
from ignition.errors import Refusal
from ignition.preview.effects import Does, Effect, flat
from ignition.preview.host import PreviewHost
from ignition.schemas.config import Config
from ignition.stages import Plan

__all__ = ["Adapter", "Silent"]


class Adapter:
    """The adapter of steps that have none of their own: each action is one change.

    Attributes:
        handles_refusals: whether `predict` covers objects of a refused plan; if not, the devices that the
            step would have created are uncertain for later steps.
    """

    handles_refusals: ClassVar[bool] = False

    def effects(
        self, config: Config, facts: Any, plan: Plan, host: PreviewHost
    ) -> Iterable[Effect | Refusal]:
        """Yield one effect for each object that the plan does not refuse.

        A refusal is yielded for what the stage itself detects only while it acts.
        """
        return _changes(plan)

    def predict(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> State:
        """Tell the host what the step leaves on the machine; return what the step persists."""
        return State()


class Silent(Adapter):
    """The adapter of steps without effects on objects of the config."""

    def effects(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> Iterable[Effect]:
        return ()


def _changes(plan: Plan) -> Iterator[Effect]:
    for line in plan.keeps:
        yield Effect((), Does.KEEP, line)
    for action in flat(plan.actions):
        yield Effect(action.path, Does.CHANGE, action.describe())
