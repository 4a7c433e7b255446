"""The first step of the disks stage: refuse what no step can do, before any of them writes.

That are contradictions in the config, devices that two entries want, programs and parts of the kernel
that are not here, and filesystems on devices that no earlier step touches. A program that makes filesystems
is not missed where the filesystem may be there already; the step that makes them looks again when it knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host import Host, blocks
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages import Plan
from ignition.stages.disks import filesystems, kernel_modules
from ignition.stages.disks.partitions import step as partitions
from ignition.stages.disks.preflight import device_conflicts, untouched_filesystems
from ignition.stages.disks.preflight.programs import lacking
from ignition.tools import blkid

if TYPE_CHECKING:
    from ignition.preview.host import PreviewHost

__all__ = ["Facts", "Supported", "needs"]

OF_PARTITIONS: Final = ("/dev/disk/by-partlabel/", "/dev/disk/by-partuuid/")


@dataclass(frozen=True)
class Facts:
    """What has to be known of the machine.

    Attributes:
        places: device path of the config → where it leads now.
        missing: programs that are not here, and what needs each first.
        unable: what the kernel cannot do.
        standing: what is on devices that no earlier step touches, by index of their filesystem.
    """

    places: Mapping[str, device_conflicts.Place] = field(default_factory=dict)
    missing: tuple[tuple[str, ConfigPath], ...] = ()
    unable: tuple[kernel_modules.Unable, ...] = ()
    standing: Mapping[int, filesystems.DeviceFacts] = field(default_factory=dict)


class Supported:
    """What the config asks for can be done by this engine, on this machine."""

    name = "supported"

    def wanted(self, config: Config) -> bool:
        """Whether there is anything to do at all."""
        return config.storage.has_devices

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """Look for programs and in lists of the kernel's; no device is waited for."""
        first: dict[str, ConfigPath] = {}
        for program, path in needs(config, host):
            first.setdefault(program, path)
        places = device_conflicts.places(config, host)
        missing = tuple(each for each in first.items() if not host.has_program(each[0]))
        return Facts(
            places=places,
            missing=missing,
            unable=tuple(kernel_modules.unable(config, host)),
            standing={} if missing else untouched_filesystems.observe(config, places, host, state),
        )

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Refuse."""
        return Plan(refusals=tuple(_refusals(config, facts)))

    def foresee(self, config: Config, facts: Facts, host: PreviewHost) -> None:
        """Nothing: whatever is refused, the other objects can be looked at."""


def needs(config: Config, host: Host) -> Iterator[tuple[str, ConfigPath]]:
    """The programs without which the stage cannot come to its end, and what needs them."""
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


def _may_be_there(config: Config, host: Host, index: str | int) -> bool:
    """Whether the filesystem may be on its device already, as the config says."""
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
    """Whether a device that is not there may be one that is only to be opened or started."""
    kept = config.storage.raid or any(not volume.wipe_volume for volume in config.storage.luks)
    return bool(kept) and not filesystem.device.startswith(OF_PARTITIONS)


def _refusals(config: Config, facts: Facts) -> Iterator[Refusal]:
    yield from filesystems.refusals(config)
    if config.storage.raid or config.storage.luks:
        from ignition.stages.disks.luks import step
        from ignition.stages.disks.raid import order

        yield from order.refusals(config)
        yield from step.refusals(config)
    yield from device_conflicts.refusals(config, facts.places)
    yield from untouched_filesystems.refusals(config, facts.standing)
    for program, path in facts.missing:
        yield lacking(program, path)
    for each in facts.unable:
        reason = f"the kernel cannot {each.what}, and there is no module {each.module} for it"
        yield Refusal(each.path, reason, f"put the kernel module {each.module} into the initramfs")
