# SPDX-License-Identifier: Apache-2.0
"""The step that creates filesystems, or keeps those that match the config.

One wipefs call lists the signatures on all devices. Empty devices (all of them on a new machine) need neither
blkid nor wiping. Filesystems are created in parallel, and udev processes all devices at once. Rules:
docs/reference/stages.md, "disks stage: filesystems".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host import Host, View, kernel
from ignition.host.command import CommandFailed
from ignition.host.device_use import DevicesInUse, DeviceUse
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages import Action, Plan
from ignition.stages.actions import in_parallel
from ignition.stages.disks import signatures
from ignition.stages.disks.kernel_modules import LoadModules
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.preflight.programs import missing_program
from ignition.stages.disks.udev import RunLocked, Settle
from ignition.tools import mkfs, wipefs

__all__ = [
    "PATH", "Decision", "DeviceFacts", "Do", "Filesystems", "decide", "decisions", "differences",
    "is_supported", "makers", "needs", "refusals",
]  # fmt: skip

PATH: ConfigPath = ("storage", "filesystems")
NO_FILESYSTEM: Final = frozenset({"none", ""})
NOT_MADE: Final = "virtiofs"
"""A filesystem shared by the hypervisor: it has a tag to mount instead of a device."""

REPLACE: Final = "set wipeFilesystem: true to replace it, or correct the config"


class Do(enum.Enum):
    """The decision for one filesystem."""

    KEEP = "keep"
    MAKE = "make"
    REFUSE = "refuse"


@dataclass(frozen=True)
class DeviceFacts:
    """Facts about the device of a filesystem.

    Attributes:
        node: its kernel node.
        alias: the path for programs.
        found: its signature.
        listed: types of all signatures on it, partition tables and ambiguous ones included.
        in_use: how it is in use, or None.
        is_mountable: whether the kernel mounts the wanted format without loading a module.
        lacks: the missing program that would create it, or "".
    """

    node: str
    alias: str
    found: wipefs.Signature
    listed: tuple[str, ...] = ()
    in_use: DeviceUse | None = None
    is_mountable: bool = True
    lacks: str = ""


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs that the step needs with the config paths; `makers` yields the others."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if filesystem.format is not None and filesystem.format != NOT_MADE:
            yield from (("wipefs", (*PATH, index)), ("blkid", (*PATH, index)))
        if filesystem.is_mounted:
            yield "mount", (*PATH, index, "path")


def makers(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the mkfs programs for filesystems that do not exist yet, with the config paths."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if filesystem.format in mkfs.FORMATS:
            yield mkfs.program_for(filesystem.format), (*PATH, index)


def refusals(config: Config) -> Iterator[Refusal]:
    """Refuse unsupported formats."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if not is_supported(filesystem):
            reason = f'unsupported filesystem format "{filesystem.format}"'
            hint = f"use one of {', '.join(sorted(mkfs.FORMATS | {'none', NOT_MADE}))}"
            yield Refusal((*PATH, index, "format"), reason, hint)


def is_supported(filesystem: Filesystem) -> bool:
    """Whether the format is supported, or nothing is created."""
    return filesystem.format is None or filesystem.format in mkfs.FORMATS | NO_FILESYSTEM | {NOT_MADE}


def decide(*, wipe: bool, matches: bool, is_empty: bool) -> Do:
    """Decide what is done for one filesystem.

    Args:
        wipe: its `wipeFilesystem`.
        matches: whether the signature on the device matches the config.
        is_empty: whether the device has no signature.
    """
    if wipe:
        return Do.MAKE
    if matches:
        return Do.KEEP
    return Do.MAKE if is_empty else Do.REFUSE


def differences(wanted: Filesystem, found: wipefs.Signature) -> Iterator[str]:
    """Yield each mismatch of the signature on a device."""
    format_ = "" if wanted.format in NO_FILESYSTEM else wanted.format
    if format_ != found.format:
        yield f"found {found.format or 'no filesystem'}, want {format_ or 'none'}"
    if wanted.label is not None and wanted.label != found.label:
        yield f'label is "{found.label}", want "{wanted.label}"'
    if wanted.uuid is not None and _uuid(wanted, wanted.uuid) != _uuid(wanted, found.uuid):
        yield f"uuid is {found.uuid or 'not set'}, want {wanted.uuid}"


def _uuid(wanted: Filesystem, uuid: str) -> str:
    uuid = uuid.lower()
    # libblkid prints FAT volume ids with a dash, which is optional in configs.
    return uuid[:4] + uuid[5:] if wanted.format == "vfat" and uuid[4:5] == "-" else uuid


class MakeFilesystem(RunLocked):
    """Create a filesystem."""

    def perform(self, host: Host) -> None:
        """Run the program; reduce its error output to the complaint."""
        try:
            super().perform(host)
        except CommandFailed as error:
            if complaint := mkfs.error_before_usage(error.ran.stderr):
                raise IgnitionError(f"{self.command.program} failed: {complaint}") from error
            raise


class Filesystems:
    """The step for the filesystems of the config."""

    name = "filesystems"

    def wanted(self, config: Config) -> bool:
        return any(_on_devices(config))

    def observe(self, config: Config, host: View, state: State) -> dict[int, DeviceFacts]:  # noqa: ARG002
        """Wait for the devices and read their signatures; returns facts by index of the filesystem."""
        there = dict(_on_devices(config))
        host.devices.wait({each.device: (*PATH, index) for index, each in there.items()})
        # Later stages may use these aliases, so every device gets one.
        aliases = {index: host.devices.alias(each.device) for index, each in there.items()}
        judged = {index: alias for index, alias in aliases.items() if there[index].format is not None}
        if not judged:
            return {}
        nodes = {index: host.devices.resolve(there[index].device) for index in judged}
        listed = signatures.listed(host, tuple(dict.fromkeys(nodes.values())))
        use, known = DevicesInUse.read(host.system), kernel.filesystems(host.system)
        return {
            index: DeviceFacts(
                node=nodes[index],
                alias=alias,
                # A wiped device needs no closer look.
                found=signatures.NOTHING
                if there[index].wipe_filesystem
                else _found(host, alias, listed[nodes[index]]),
                listed=tuple(each.format for each in listed[nodes[index]]),
                in_use=use.of_any(nodes[index]),
                is_mountable=there[index].format in known,
                lacks=_lacking(host, there[index].format or ""),
            )
            for index, alias in judged.items()
        }

    def plan(self, config: Config, facts: dict[int, DeviceFacts]) -> Plan:
        """Decide for each filesystem; one refusal refuses all filesystems."""
        decided = decisions(config, facts)
        keeps = tuple(each.kept() for each in decided if each.do is Do.KEEP)
        refused = (
            *(refusal for each in decided for refusal in each.refusals()),
            *device_conflicts.named_twice(each.named() for each in decided),
        )
        if refused:
            return Plan(refusals=refused, keeps=keeps, decisions=tuple(decided))
        made = [each for each in decided if each.do is Do.MAKE]
        return Plan(
            actions=tuple(_actions(made)),
            keeps=keeps,
            creates=frozenset(path for each in made for path in each.creates()),
            decisions=tuple(decided),
        )


def _lacking(host: View, format_: str) -> str:
    program = mkfs.program_for(format_) if format_ in mkfs.FORMATS else ""
    return "" if host.has_program(program) else program


def _on_devices(config: Config) -> Iterator[tuple[int, Filesystem]]:
    for index, filesystem in enumerate(config.storage.filesystems):
        # Unsupported formats were refused in preflight; a preview goes on without them.
        if filesystem.format != NOT_MADE and is_supported(filesystem):
            yield index, filesystem


# Facts.


def _found(host: View, alias: str, listed: Sequence[wipefs.Signature]) -> wipefs.Signature:
    """Return the signature that libblkid reports."""
    found = signatures.found(host, alias, listed)
    if found is not None:
        return found
    # The reference takes the first one when libblkid's safe probe is ambiguous.
    several = [each for each in listed if not each.is_table]
    names = ", ".join(each.format for each in several)
    log.warning(f"several signatures on {alias}: {names}; using {several[0].format}")
    return several[0]


# Decisions and actions.


@dataclass(frozen=True)
class Decision:
    """The decision for one filesystem, and its refusals.

    Attributes:
        index: its index in the config.
    """

    wanted: Filesystem
    index: int
    facts: DeviceFacts

    @property
    def path(self) -> ConfigPath:
        return (*PATH, self.index)

    @property
    def do(self) -> Do:
        return decide(
            wipe=self.wanted.wipe_filesystem is True,
            matches=not any(differences(self.wanted, self.facts.found)),
            is_empty=not self.facts.found.format,
        )

    def refusals(self) -> Iterator[Refusal]:
        """Yield all reasons why it can neither be created nor kept."""
        device = self.wanted.device
        if self.do is Do.REFUSE:
            text = "; ".join(differences(self.wanted, self.facts.found))
            several = f" (signatures: {', '.join(self.facts.listed)})" if self.facts.listed[1:] else ""
            reason = f"existing filesystem on {device} does not match the config: {text}{several}"
            yield Refusal((*self.path, "wipeFilesystem"), reason, REPLACE)
        elif self.do is Do.MAKE and self.facts.in_use:
            reason = f"cannot create a filesystem on {device}: in use ({self.facts.in_use.describe()})"
            yield Refusal(self.path, reason, self.facts.in_use.hint())
        if self.do is Do.MAKE and self.facts.lacks:
            yield missing_program(self.facts.lacks, self.path)

    def named(self) -> device_conflicts.Named:
        """Return its device."""
        return (*self.path, "device"), self.wanted.device, self.facts.node

    def kept(self) -> str:
        """Return the log line of a kept filesystem."""
        found = self.facts.found.format
        return f"keeping {found or 'no filesystem'} on {self.wanted.device}"

    def make(self) -> MakeFilesystem | None:
        """Return the action that creates it, or None for the format none."""
        wanted = self.wanted
        if wanted.format is None or wanted.format in NO_FILESYSTEM:
            return None
        command = mkfs.make(
            wanted.format,
            self.facts.alias,
            options=wanted.options,
            uuid=wanted.uuid,
            label=wanted.label,
            shown_as=wanted.device,
        )
        return MakeFilesystem(self.path, command, (self.facts.node,))

    @property
    def needs_module(self) -> bool:
        """Whether mounting it needs a kernel module."""
        return self.wanted.is_mounted and not self.facts.is_mountable

    def creates(self) -> Iterator[str]:
        """Yield the device paths that it gets."""
        if self.wanted.label:
            yield f"/dev/disk/by-label/{self.wanted.label}"
        if self.wanted.uuid:
            yield f"/dev/disk/by-uuid/{self.wanted.uuid}"


def decisions(config: Config, facts: Mapping[int, DeviceFacts]) -> list[Decision]:
    """Return the decisions for all filesystems that have facts."""
    return [Decision(config.storage.filesystems[index], index, each) for index, each in facts.items()]


def _actions(made: Sequence[Decision]) -> Iterator[Action]:
    if not made:
        return
    if full := [each for each in made if each.facts.listed]:
        devices = [each.wanted.device for each in full]
        command = wipefs.erase((each.facts.alias for each in full), shown_as=devices)
        yield RunLocked(PATH, command, tuple(each.facts.node for each in full))
    makers: list[Action] = [maker for each in made if (maker := each.make())]
    if modules := tuple(dict.fromkeys(each.wanted.format or "" for each in made if each.needs_module)):
        makers.append(LoadModules(PATH, modules))
    yield from in_parallel(PATH, f"creating filesystems on {_names(made)}", makers)
    yield Settle(PATH, tuple(each.facts.node for each in made))


def _names(made: Iterable[Decision]) -> str:
    return ", ".join(each.wanted.device for each in made)
