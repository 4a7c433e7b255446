# SPDX-License-Identifier: Apache-2.0
"""Check filesystems on devices that the earlier steps of the stage do not change.

Their mismatches are known before the first step writes. The reference reports them after the other disks
have new partition tables and the other volumes new keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ignition.boot.state import State
from ignition.errors import Refusal
from ignition.host import View, blocks
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages.disks import filesystems
from ignition.stages.disks.preflight.device_conflicts import BY_CONTENT, Place

__all__ = ["observe", "refusals"]


def observe(
    config: Config, places: Mapping[str, Place], host: View, state: State
) -> dict[int, filesystems.DeviceFacts]:
    """Return the contents of these devices, by index of the filesystem; none if no earlier step has work."""
    storage = config.storage
    if not (storage.disks or storage.raid or storage.luks):
        return {}
    touched = set(_touched(config, host))
    untouched = [
        (index, filesystem)
        for index, filesystem in enumerate(storage.filesystems)
        if (place := places.get(filesystem.device))
        and not {place.node, place.disk} & touched
        and not (filesystem.device.startswith(BY_CONTENT) and _may_move(config, filesystem))
    ]
    alone = config.evolve(storage=storage.evolve(filesystems=tuple(each for _, each in untouched)))
    step = filesystems.Filesystems()
    facts = step.observe(alone, host, state) if step.wanted(alone) else {}
    return {untouched[number][0]: each for number, each in facts.items()}


def refusals(config: Config, facts: Mapping[int, filesystems.DeviceFacts]) -> Iterator[Refusal]:
    """Refuse filesystems that can neither be created nor kept."""
    for each in filesystems.decisions(config, facts):
        yield from each.refusals()


def _touched(config: Config, host: View) -> Iterator[str]:
    """Yield the kernel nodes that earlier steps may change."""
    storage = config.storage
    paths: list[str] = [disk.device for disk in storage.disks]
    if storage.raid:
        from ignition.tools import mdadm

        for array in storage.raid:
            paths += (mdadm.device_of(array.name), *array.devices)
    if storage.luks:
        from ignition.tools import cryptsetup

        for volume in storage.luks:
            paths += (cryptsetup.device_of(volume.name), volume.device or "")
    return (blocks.resolve(host.system, path) for path in paths)


def _may_move(config: Config, filesystem: Filesystem) -> bool:
    """Whether the stage creates another object with the label or UUID that the device path contains."""
    name = filesystem.device.rpartition("/")[2].casefold()
    return name in {each.casefold() for each in _other_names(config, filesystem) if each}


def _other_names(config: Config, filesystem: Filesystem) -> Iterator[str | None]:
    for disk in config.storage.disks:
        for partition in disk.partitions:
            yield from (partition.label, partition.guid)
    for volume in config.storage.luks:
        yield from (volume.label, volume.uuid)
    for other in config.storage.filesystems:
        if other is not filesystem:
            yield from (other.label, other.uuid)
