"""What lies where new partitions will be, and whether that is in the way of what the config wants there.

A new table erases nothing: a filesystem that was in the place of a new partition is there again. Whoever
would be refused for that is refused before the table is written, by the same decisions that are made when
the partition is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ignition.errors import Refusal
from ignition.host import Host
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages.disks import filesystems, signatures
from ignition.stages.disks.partitions.decide import DiskChanges
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import blkid, wipefs

__all__ = ["look_under", "refusals"]


def look_under(
    config: Config, facts: tuple[DiskFacts, ...], all_changes: Iterable[DiskChanges], host: Host
) -> tuple[DiskFacts, ...]:
    """The facts, with what lies where something will be made that must not destroy anything."""
    careful = {each.device for each in config.storage.filesystems if _is_careful(each)}
    careful |= {each.device or "" for each in config.storage.luks if not each.wipe_volume}
    if not careful:
        return facts
    return tuple(
        replace(each, lying=_lying(changes, careful, host))
        for each, changes in zip(facts, all_changes, strict=True)
    )


def _is_careful(filesystem: Filesystem) -> bool:
    if filesystem.wipe_filesystem or filesystem.format in {None, filesystems.NOT_MADE}:
        return False
    return filesystems.is_supported(filesystem)


def _lying(changes: DiskChanges, careful: set[str], host: Host) -> dict[str, blkid.Probe]:
    disk = changes.facts.disk
    found: dict[str, blkid.Probe] = {}
    for node, names, extent in changes.made():
        if wanted := careful & {node, *names}:
            place = (disk.node, extent.start * disk.sector_size, extent.size * disk.sector_size)
            found |= dict.fromkeys(wanted, signatures.under(host.run, host.system, place))
    return found


def refusals(config: Config, facts: Iterable[DiskFacts]) -> Iterator[Refusal]:
    """Why what will be on new partitions cannot be used as the config says."""
    lying = {device: probe for each in facts for device, probe in each.lying.items() if probe.format}
    for index, filesystem in enumerate(config.storage.filesystems):
        if _is_careful(filesystem) and (probe := lying.get(filesystem.device)):
            found = wipefs.Signature(probe.format, probe.label, probe.uuid)
            there = filesystems.DeviceFacts("", "", found, (probe.format,))
            yield from filesystems.Decision(filesystem, index, there).refusals()
    for index, volume in enumerate(config.storage.luks):
        probe = lying.get(volume.device or "") if not volume.wipe_volume else None
        # Whether a volume can be used again is for cryptsetup to say, when it has a device.
        if probe and probe.format != signatures.ENCRYPTED:
            from ignition.stages.disks.luks import step

            there_too = step.VolumeFacts("", "", step.Found((probe.format,)))
            yield from step.Decision(volume, index, there_too).refusals()
