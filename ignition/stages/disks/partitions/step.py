# SPDX-License-Identifier: Apache-2.0
"""The step that writes partition tables.

Tables are read without a process (observe.py), decided in pure functions (match.py, layout.py, decide.py)
and written by sfdisk, usually one call for each disk (actions.py). Disks are written in parallel, and udev
processes all of them at once. An unchanged table is neither written nor shown to udev. Rules and refusals:
docs/reference/stages.md, "disks stage: partitions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import View
from ignition.host.device_use import DevicesInUse
from ignition.schemas.config import Config
from ignition.stages import Action, Plan
from ignition.stages.actions import in_parallel
from ignition.stages.disks.partitions import stale_signatures
from ignition.stages.disks.partitions.decide import DiskChanges, disk_changes
from ignition.stages.disks.partitions.observe import DiskFacts, look
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.udev import Settle

__all__ = ["Partitions", "needs"]

PATH: ConfigPath = ("storage", "disks")


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs that the step needs, each with the config path that needs it."""
    for index, disk in enumerate(config.storage.disks):
        path = (*PATH, index)
        if disk.partitions:
            yield from (("blkid", path), ("sfdisk", path))
        # udev creates the partitions of device-mapper disks, and dmsetup measures them.
        if disk.partitions or disk.wipe_table:
            yield "dmsetup" if disk.device.startswith("/dev/mapper/") else "partx", path


class Partitions:
    """The step for the partition tables of all disks."""

    name = "partitions"

    def wanted(self, config: Config) -> bool:
        return bool(config.storage.disks)

    def observe(self, config: Config, host: View, state: State) -> tuple[DiskFacts, ...]:  # noqa: ARG002
        """Wait for the disks, read their tables, and find what is in use."""
        disks = config.storage.disks
        host.devices.wait({disk.device: (*PATH, index) for index, disk in enumerate(disks)})
        use = DevicesInUse.read(host.system)
        facts = tuple(look(host, disk.device, use) for disk in disks)
        return stale_signatures.look_under(config, facts, _decided(config, facts), host)

    def plan(self, config: Config, facts: tuple[DiskFacts, ...]) -> Plan:
        """Decide for each disk; one refusal refuses all disks."""
        all_changes = _decided(config, facts)
        keeps = tuple(line for changes in all_changes for line in changes.keeps())
        refusals = (
            *device_conflicts.named_twice(
                (each.path, each.device, each.facts.disk.node) for each in all_changes
            ),
            *(each for changes in all_changes for each in changes.refusals()),
            *stale_signatures.refusals(config, facts),
        )
        if refusals:
            return Plan(refusals=refusals, keeps=keeps, decisions=tuple(all_changes))
        needed = [changes for changes in all_changes if changes.is_needed]
        return Plan(
            actions=tuple(_actions(needed)),
            keeps=keeps,
            creates=frozenset(path for changes in needed for path in changes.creates()),
            decisions=tuple(all_changes),
        )


def _decided(config: Config, facts: tuple[DiskFacts, ...]) -> list[DiskChanges]:
    return [
        disk_changes(disk, (*PATH, index), facts[index]) for index, disk in enumerate(config.storage.disks)
    ]


def _actions(needed: Sequence[DiskChanges]) -> Iterator[Action]:
    if not needed:
        return
    writes = (changes.write() for changes in needed)
    yield from in_parallel(PATH, f"partitioning {len(needed)} disks", writes)
    yield Settle(PATH, tuple(changes.facts.disk.node for changes in needed))
    for changes in needed:
        yield changes.expect()
