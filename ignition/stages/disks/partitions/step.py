"""The step that makes partition tables as the config says.

Tables are read without a process (`facts`), decided in pure functions (`changes`,
`entries`, `geometry`) and written by sfdisk, one call for a disk in the usual case
(`tables`). Disks are worked on side by side, and udev looks at all of them once.
What is as the config says is neither written nor shown to udev. Rules and refusals:
engine.md 9.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host
from ignition.host.mounts import Use
from ignition.schemas.config import Config
from ignition.stages import Action, Plan
from ignition.stages.actions import in_parallel
from ignition.stages.disks.partitions import stale_signatures
from ignition.stages.disks.partitions.decide import DiskChanges, disk_changes
from ignition.stages.disks.partitions.observe import DiskFacts, look
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.udev import Settle

if TYPE_CHECKING:
    from ignition.preview.effects import Effect
    from ignition.preview.host import PreviewHost

__all__ = ["Partitions", "needs"]

PATH: ConfigPath = ("storage", "disks")


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """The programs without which it cannot be done, and what needs them."""
    for index, disk in enumerate(config.storage.disks):
        path = (*PATH, index)
        if disk.partitions:
            yield from (("blkid", path), ("sfdisk", path))
        # Of disks that device-mapper makes udev makes the partitions, and dmsetup measures them.
        if disk.partitions or disk.wipe_table:
            yield "dmsetup" if disk.device.startswith("/dev/mapper/") else "partx", path


class Partitions:
    """The partition tables of all disks."""

    name = "partitions"

    def wanted(self, config: Config) -> bool:
        """Whether there is any disk."""
        return bool(config.storage.disks)

    def observe(self, config: Config, host: Host, state: State) -> tuple[DiskFacts, ...]:  # noqa: ARG002
        """Wait for the disks, read their tables, and see what of them is in use."""
        disks = config.storage.disks
        host.devices.wait({disk.device: (*PATH, index) for index, disk in enumerate(disks)})
        use = Use.now(host.system)
        facts = tuple(look(host, disk.device, use) for disk in disks)
        return stale_signatures.look_under(config, facts, _decided(config, facts), host)

    def plan(self, config: Config, facts: tuple[DiskFacts, ...]) -> Plan:
        """Decide for each disk by itself; one refusal refuses all."""
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
            return Plan(refusals=refusals, keeps=keeps)
        needed = [changes for changes in all_changes if changes.is_needed]
        return Plan(
            actions=tuple(_actions(needed)),
            keeps=keeps,
            creates=frozenset(path for changes in needed for path in changes.creates()),
        )

    def effects(self, config: Config, facts: tuple[DiskFacts, ...], host: Host) -> Iterator[Effect]:
        """What happens to each partition."""
        from ignition.preview import disks as outlook

        return outlook.partitions(_decided(config, facts), facts, host)

    def foresee(self, config: Config, facts: tuple[DiskFacts, ...], host: PreviewHost) -> None:
        """The partitions that there will be."""
        from ignition.preview import disks as outlook

        outlook.make_partitions(_decided(config, facts), host)


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
