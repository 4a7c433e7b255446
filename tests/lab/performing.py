# SPDX-License-Identifier: Apache-2.0
"""Run plans and stages as the engine does, and return the state that their actions persisted.

Inside a block of `persisting`, the outer receiver gets each piece of state as well, also before a failure.
"""

from __future__ import annotations

from ignition import runcontext, stages
from ignition.boot.state import State, StateStore
from ignition.host import Host
from ignition.schemas.config import Config
from ignition.stages import Plan, Stage, persisting

__all__ = ["applied", "performed"]


class Forwarding(StateStore):
    """A store in memory that also hands each piece to the receiver of the surrounding block."""

    def __init__(self, state: State | None = None) -> None:
        super().__init__(state)
        self._outer = runcontext.current().persist

    def persist(self, more: State) -> None:
        super().persist(more)
        if self._outer is not None:
            self._outer(more)


def applied(plan: Plan, host: Host) -> State:
    """Apply a plan; return what it persisted."""
    store = Forwarding()
    with persisting(store.persist):
        stages.apply(plan, host)
    return store.state


def performed(stage: Stage, config: Config, host: Host, state: State | None = None) -> State:
    """Perform a stage that starts with `state`; return the state afterwards."""
    store = Forwarding(state)
    stages.perform(stage, config, host, store)
    return store.state
