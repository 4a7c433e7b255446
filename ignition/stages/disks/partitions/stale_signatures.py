# SPDX-License-Identifier: Apache-2.0
"""Detect stale filesystem signatures inside the extents of partitions to be created.

A new table erases nothing: an old filesystem inside the extent of a new partition reappears with it. Entries
that would be refused for that are refused before the table is written, by the same decisions that the
later steps make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ignition.errors import Refusal
from ignition.host import View
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages.disks import filesystems, signatures
from ignition.stages.disks.partitions.decide import DiskChanges
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import blkid, wipefs

__all__ = ["look_under", "refusals"]


def look_under(
    config: Config, facts: tuple[DiskFacts, ...], all_changes: Iterable[DiskChanges], host: View
) -> tuple[DiskFacts, ...]:
    """Return the facts with the signatures under partitions whose contents must not be destroyed."""
    careful = {each.device for each in config.storage.filesystems if _is_careful(each)}
    careful |= {each.device or "" for each in config.storage.luks if not each.wipe_volume}
    if not careful:
        return facts
    return tuple(
        replace(each, stale=_stale(changes, careful, host))
        for each, changes in zip(facts, all_changes, strict=True)
    )


def _is_careful(filesystem: Filesystem) -> bool:
    if filesystem.wipe_filesystem or filesystem.format in {None, filesystems.NOT_MADE}:
        return False
    return filesystems.is_supported(filesystem)


def _stale(changes: DiskChanges, careful: set[str], host: View) -> dict[str, blkid.Probe]:
    disk = changes.facts.disk
    found: dict[str, blkid.Probe] = {}
    for node, names, extent in changes.made():
        if wanted := careful & {node, *names}:
            place = (disk.node, extent.start * disk.sector_size, extent.size * disk.sector_size)
            found |= dict.fromkeys(wanted, signatures.under(host.run, host.system, place))
    return found


def refusals(config: Config, facts: Iterable[DiskFacts]) -> Iterator[Refusal]:
    """Refuse entries that the contents of new partitions contradict."""
    stale = {device: probe for each in facts for device, probe in each.stale.items() if probe.format}
    for index, filesystem in enumerate(config.storage.filesystems):
        if _is_careful(filesystem) and (probe := stale.get(filesystem.device)):
            found = wipefs.Signature(probe.format, probe.label, probe.uuid)
            there = filesystems.DeviceFacts("", "", found, (probe.format,))
            yield from filesystems.Decision(filesystem, index, there).refusals()
    for index, volume in enumerate(config.storage.luks):
        probe = stale.get(volume.device or "") if not volume.wipe_volume else None
        # Whether a LUKS volume is usable is known only when the device exists.
        if probe and probe.format != signatures.ENCRYPTED:
            from ignition.stages.disks.luks import step

            there_too = step.VolumeFacts("", "", step.DeviceContents((probe.format,)))
            yield from step.Decision(volume, index, there_too).refusals()
