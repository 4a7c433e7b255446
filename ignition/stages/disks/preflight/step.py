# SPDX-License-Identifier: Apache-2.0
"""The first step of the disks stage: refuse what no step can do, before any step writes.

It refuses contradictions in the config, devices that two entries claim, missing programs and kernel
modules, and mismatching filesystems on devices that no earlier step changes. A missing mkfs program is
not refused where the filesystem may exist already; the filesystems step checks again when it knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host import View, blocks
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages import Plan
from ignition.stages.disks import filesystems, kernel_modules
from ignition.stages.disks.partitions import step as partitions
from ignition.stages.disks.preflight import device_conflicts, untouched_filesystems
from ignition.stages.disks.preflight.programs import missing_program
from ignition.tools import blkid

__all__ = ["Preflight", "PreflightFacts", "needs"]

OF_PARTITIONS: Final = ("/dev/disk/by-partlabel/", "/dev/disk/by-partuuid/")


@dataclass(frozen=True)
class PreflightFacts:
    """Facts about the machine that decide whether the stage can succeed.

    Attributes:
        places: device path of the config → the device that it resolves to now.
        missing: missing programs, each with the first config path that needs it.
        unsupported: missing kernel features.
        untouched: contents of devices that no earlier step changes, by index of their filesystem.
    """

    places: Mapping[str, device_conflicts.Place] = field(default_factory=dict)
    missing: tuple[tuple[str, ConfigPath], ...] = ()
    unsupported: tuple[kernel_modules.UnsupportedFeature, ...] = ()
    untouched: Mapping[int, filesystems.DeviceFacts] = field(default_factory=dict)


class Preflight:
    """The step that refuses configs that this engine cannot apply to this machine."""

    name = "supported"

    def wanted(self, config: Config) -> bool:
        return config.storage.has_devices

    def observe(self, config: Config, host: View, state: State) -> PreflightFacts:
        """Look for programs and kernel features; waits for no device."""
        first: dict[str, ConfigPath] = {}
        for program, path in needs(config, host):
            first.setdefault(program, path)
        places = device_conflicts.places(config, host)
        missing = tuple(each for each in first.items() if not host.has_program(each[0]))
        return PreflightFacts(
            places=places,
            missing=missing,
            unsupported=tuple(kernel_modules.unsupported(config, host)),
            untouched={} if missing else untouched_filesystems.observe(config, places, host, state),
        )

    def plan(self, config: Config, facts: PreflightFacts) -> Plan:
        return Plan(refusals=tuple(_refusals(config, facts)))


def needs(config: Config, host: View) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs that the stage needs, each with the config path that needs it."""
    yield from partitions.needs(config)
    if config.storage.raid:
        from ignition.stages.disks.raid import step as raid

        yield from raid.needs(config)
    if config.storage.luks:
        from ignition.stages.disks.luks import step as luks

        yield from luks.needs(config)
    yield from filesystems.needs(config)
    for program, path in filesystems.makers(config):
        if not host.has_program(program) and not _may_be_there(config, host, path[2]):
            yield program, path


def _may_be_there(config: Config, host: View, index: str | int) -> bool:
    """Whether the configured filesystem may exist on its device already."""
    filesystem = config.storage.filesystems[int(index)]
    if filesystem.wipe_filesystem:
        return False
    if not blocks.exists(host.system, filesystem.device):
        return _may_hold_data(config, filesystem)
    if not host.has_program("blkid"):
        return False
    command = blkid.probe(blocks.resolve(host.system, filesystem.device))
    return blkid.parse(command, host.run(command)).format == filesystem.format


def _may_hold_data(config: Config, filesystem: Filesystem) -> bool:
    """Whether a missing device may be one that a step only opens or assembles."""
    kept = config.storage.raid or any(not volume.wipe_volume for volume in config.storage.luks)
    return bool(kept) and not filesystem.device.startswith(OF_PARTITIONS)


def _refusals(config: Config, facts: PreflightFacts) -> Iterator[Refusal]:
    yield from filesystems.refusals(config)
    if config.storage.raid or config.storage.luks:
        from ignition.stages.disks.luks import step
        from ignition.stages.disks.raid import order

        yield from order.refusals(config)
        yield from step.refusals(config)
    yield from device_conflicts.refusals(config, facts.places)
    yield from untouched_filesystems.refusals(config, facts.untouched)
    for program, path in facts.missing:
        yield missing_program(program, path)
    for each in facts.unsupported:
        reason = f'the kernel lacks {each.feature} and the initramfs has no module "{each.module}"'
        yield Refusal(each.path, reason, f"add the kernel module {each.module} to the initramfs")
