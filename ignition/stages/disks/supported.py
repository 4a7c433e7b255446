"""The first step of the disks stage: refuse what no step can do, before any of them writes."""

from __future__ import annotations

from collections.abc import Iterator

from ignition.errors import Refusal
from ignition.host import Host
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.disks import filesystems
from ignition.state import State

__all__ = ["Supported"]


class Supported:
    """What the config asks for can be done by this engine."""

    name = "supported"

    def wanted(self, config: Config) -> bool:
        """Whether anything has to be refused."""
        return any(_refusals(config))

    def observe(self, config: Config, host: Host, state: State) -> None:
        """Nothing: this depends on the config alone."""

    def plan(self, config: Config, facts: None) -> Plan:  # noqa: ARG002
        """Refuse."""
        return Plan(refusals=tuple(_refusals(config)))


def _refusals(config: Config) -> Iterator[Refusal]:
    yield from filesystems.refusals(config)
    if not (config.storage.raid or config.storage.luks):
        return
    from ignition.stages.disks import claims, luks, ranks

    yield from ranks.refusals(config)
    yield from luks.refusals(config)
    yield from claims.refusals(config)
