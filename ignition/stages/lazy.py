"""A step whose module is imported when a config has work for it.

Few machines have arrays or encrypted volumes, and on a slow one an import costs a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ignition.boot.state import State
from ignition.host import View
from ignition.schemas.config import Config
from ignition.stages import Plan, Step

__all__ = ["Later"]


class Later:
    """Stands for the step that `make` makes, for configs that have `work` for it."""

    def __init__(self, name: str, work: Callable[[Config], object], make: Callable[[], Step[Any]]) -> None:
        self.name = name
        self._work = work
        self._make = make

    @cached_property
    def step(self) -> Step[Any]:
        """The step itself."""
        return self._make()

    def wanted(self, config: Config) -> bool:
        """Whether there is work, and the step wants it."""
        return bool(self._work(config)) and self.step.wanted(config)

    def observe(self, config: Config, host: View, state: State) -> Any:
        """As the step."""
        return self.step.observe(config, host, state)

    def plan(self, config: Config, facts: Any) -> Plan:
        """As the step."""
        return self.step.plan(config, facts)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the step can do, such as foretelling."""
        return getattr(self.step, name)
