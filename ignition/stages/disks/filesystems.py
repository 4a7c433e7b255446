"""The step that makes filesystems, or keeps those that are as the config says.

One call of wipefs lists what is on all devices. Those with nothing on them, which is
all of them on a fresh machine, need no second look and no wiping. The filesystems
are made side by side, and udev looks at all of them once. Rules: engine.md 9.3.4.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host import Host, kernel
from ignition.host.command import CommandFailed
from ignition.host.mounts import Use, remedy
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages import Action, Plan
from ignition.stages.actions import in_parallel
from ignition.stages.disks import signatures
from ignition.stages.disks.kernel_modules import LoadModules
from ignition.stages.disks.locked import RunLocked
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.preflight.programs import lacking
from ignition.stages.disks.udev import Settle
from ignition.tools import mkfs, wipefs

if TYPE_CHECKING:
    from ignition.preview.effects import Effect
    from ignition.preview.host import PreviewHost

__all__ = [
    "PATH", "Decision", "DeviceFacts", "Do", "Filesystems", "decide", "decisions", "differences",
    "is_supported", "makers", "needs", "refusals",
]  # fmt: skip

PATH: ConfigPath = ("storage", "filesystems")
NO_FILESYSTEM: Final = frozenset({"none", ""})
NOT_MADE: Final = "virtiofs"
"""Shared by the machine's host: there is no device to make it on, only a tag to mount."""

REPLACE: Final = "set wipeFilesystem: true to replace it, or correct the config"


class Do(enum.Enum):
    """What to do about a filesystem of the config."""

    KEEP = "keep"
    MAKE = "make"
    REFUSE = "refuse"


@dataclass(frozen=True)
class DeviceFacts:
    """What has to be known of a device.

    Attributes:
        node: its kernel node.
        alias: the path that programs are given.
        found: what is on it.
        listed: types of all signatures on it, partition tables and doubtful ones too.
        in_use: why it is in use, or "".
        is_mountable: whether the kernel can mount the wanted format without loading a module.
        lacks: the program that would make it, if that is not here.
    """

    node: str
    alias: str
    found: wipefs.Signature
    listed: tuple[str, ...] = ()
    in_use: str = ""
    is_mountable: bool = True
    lacks: str = ""


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """The programs without which it cannot be done, and what needs them; those in `makers` come on top."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if filesystem.format is not None and filesystem.format != NOT_MADE:
            yield from (("wipefs", (*PATH, index)), ("blkid", (*PATH, index)))
        if filesystem.is_mounted:
            yield "mount", (*PATH, index, "path")


def makers(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """The programs that make the filesystems, if these are not there already, and what needs them."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if filesystem.format in mkfs.FORMATS:
            yield mkfs.program_for(filesystem.format), (*PATH, index)


def refusals(config: Config) -> Iterator[Refusal]:
    """Formats that no step can make."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if not is_supported(filesystem):
            reason = f'the format "{filesystem.format}" is not supported'
            hint = f"use one of {', '.join(sorted(mkfs.FORMATS | {'none', NOT_MADE}))}"
            yield Refusal((*PATH, index, "format"), reason, hint)


def is_supported(filesystem: Filesystem) -> bool:
    """Whether there is a way to make it, or nothing to be made."""
    return filesystem.format is None or filesystem.format in mkfs.FORMATS | NO_FILESYSTEM | {NOT_MADE}


def decide(*, wipe: bool, matches: bool, is_empty: bool) -> Do:
    """The decision for one filesystem.

    Args:
        wipe: its `wipeFilesystem`.
        matches: what is on the device is what the config says.
        is_empty: there is nothing on the device.
    """
    if wipe:
        return Do.MAKE
    if matches:
        return Do.KEEP
    return Do.MAKE if is_empty else Do.REFUSE


def differences(wanted: Filesystem, found: wipefs.Signature) -> Iterator[str]:
    """In what the signature on a device is not what the config says."""
    format_ = "" if wanted.format in NO_FILESYSTEM else wanted.format
    if format_ != found.format:
        yield f"format is {found.format or 'none'}, not {format_ or 'none'}"
    if wanted.label is not None and wanted.label != found.label:
        yield f'label is "{found.label}", not "{wanted.label}"'
    if wanted.uuid is not None and _uuid(wanted, wanted.uuid) != _uuid(wanted, found.uuid):
        yield f"uuid is {found.uuid or 'not set'}, not {wanted.uuid}"


def _uuid(wanted: Filesystem, uuid: str) -> str:
    uuid = uuid.lower()
    # libblkid writes volume ids of FAT with a dash that one may leave out.
    return uuid[:4] + uuid[5:] if wanted.format == "vfat" and uuid[4:5] == "-" else uuid


class MakeFilesystem(RunLocked):
    """Make a filesystem."""

    def perform(self, host: Host) -> None:
        """Run the program; of an error keep what it complains of."""
        try:
            super().perform(host)
        except CommandFailed as error:
            if complaint := mkfs.complaint(error.ran.stderr):
                raise IgnitionError(f"{self.command.program} refuses: {complaint}") from error
            raise


class Filesystems:
    """The filesystems of the config."""

    name = "filesystems"

    def wanted(self, config: Config) -> bool:
        """Whether there is any device to look at."""
        return any(_on_devices(config))

    def observe(self, config: Config, host: Host, state: State) -> dict[int, DeviceFacts]:  # noqa: ARG002
        """Wait for the devices and see what is on them; by index of the filesystem."""
        there = dict(_on_devices(config))
        host.devices.wait({each.device: (*PATH, index) for index, each in there.items()})
        # Later stages may know the devices by these names, so each gets one, whatever is done with it.
        aliases = {index: host.devices.alias(each.device) for index, each in there.items()}
        judged = {index: alias for index, alias in aliases.items() if there[index].format is not None}
        if not judged:
            return {}
        nodes = {index: host.devices.resolve(there[index].device) for index in judged}
        listed = signatures.listed(host, tuple(dict.fromkeys(nodes.values())))
        use, known = Use.now(host.system), kernel.filesystems(host.system)
        return {
            index: DeviceFacts(
                node=nodes[index],
                alias=alias,
                # What is wiped whatever it is need not be looked at any closer.
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
        """Decide for each filesystem; one refusal refuses all."""
        decided = decisions(config, facts)
        keeps = tuple(each.kept() for each in decided if each.do is Do.KEEP)
        refused = (
            *(refusal for each in decided for refusal in each.refusals()),
            *device_conflicts.named_twice(each.named() for each in decided),
        )
        if refused:
            return Plan(refusals=refused, keeps=keeps)
        made = [each for each in decided if each.do is Do.MAKE]
        return Plan(
            actions=tuple(_actions(made)),
            keeps=keeps,
            creates=frozenset(path for each in made for path in each.creates()),
        )

    def effects(self, config: Config, facts: dict[int, DeviceFacts], host: Host) -> Iterator[Effect]:
        """What happens to what is on each device."""
        from ignition.preview import disks

        return disks.filesystems(config, facts, host)

    def foresee(self, config: Config, facts: dict[int, DeviceFacts], host: PreviewHost) -> None:
        """The filesystems that will be new."""
        from ignition.preview import disks

        host.formatted.update(disks.formatted(config, facts))


def _lacking(host: Host, format_: str) -> str:
    program = mkfs.program_for(format_) if format_ in mkfs.FORMATS else ""
    return "" if host.has_program(program) else program


def _on_devices(config: Config) -> Iterator[tuple[int, Filesystem]]:
    for index, filesystem in enumerate(config.storage.filesystems):
        # What no step can make has been refused before; a preview goes on all the same.
        if filesystem.format != NOT_MADE and is_supported(filesystem):
            yield index, filesystem


# What is there.


def _found(host: Host, alias: str, listed: Sequence[wipefs.Signature]) -> wipefs.Signature:
    """The signature that counts: what libblkid says it is."""
    found = signatures.found(host, alias, listed)
    if found is not None:
        return found
    # As the reference does when its careful probe fails: the first one counts.
    several = [each for each in listed if not each.is_table]
    names = ", ".join(each.format for each in several)
    log.warning(f"there are several signatures on {alias}: {names}; it is taken for {several[0].format}")
    return several[0]


# What is done.


@dataclass(frozen=True)
class Decision:
    """What is done about one filesystem, and why not.

    Attributes:
        index: its place in the config.
    """

    wanted: Filesystem
    index: int
    facts: DeviceFacts

    @property
    def path(self) -> ConfigPath:
        """Where in the config it stands."""
        return (*PATH, self.index)

    @property
    def do(self) -> Do:
        """What to do."""
        return decide(
            wipe=self.wanted.wipe_filesystem is True,
            matches=not any(differences(self.wanted, self.facts.found)),
            is_empty=not self.facts.found.format,
        )

    def refusals(self) -> Iterator[Refusal]:
        """Why it will be neither made nor kept, all reasons."""
        device = self.wanted.device
        if self.do is Do.REFUSE:
            text = "; ".join(differences(self.wanted, self.facts.found))
            several = f" (signatures there: {', '.join(self.facts.listed)})" if self.facts.listed[1:] else ""
            reason = f"what is on {device} is not what the config says: {text}{several}"
            yield Refusal((*self.path, "wipeFilesystem"), reason, REPLACE)
        elif self.do is Do.MAKE and self.facts.in_use:
            reason = f"a filesystem would be made on {device}, and it is {self.facts.in_use}"
            yield Refusal(self.path, reason, remedy(self.facts.in_use))
        if self.do is Do.MAKE and self.facts.lacks:
            yield lacking(self.facts.lacks, self.path)

    def named(self) -> device_conflicts.Named:
        """Its device."""
        return (*self.path, "device"), self.wanted.device, self.facts.node

    def kept(self) -> str:
        """That it is kept, for the log."""
        found = self.facts.found.format
        return f"{self.wanted.device} has {found or 'no filesystem'} as the config says, it is kept"

    def make(self) -> MakeFilesystem | None:
        """The action that makes it, if there is anything to make."""
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
        """Whether it will be mounted, and the kernel has to learn how."""
        return self.wanted.is_mounted and not self.facts.is_mountable

    def creates(self) -> Iterator[str]:
        """The device paths that there will be."""
        if self.wanted.label:
            yield f"/dev/disk/by-label/{self.wanted.label}"
        if self.wanted.uuid:
            yield f"/dev/disk/by-uuid/{self.wanted.uuid}"


def decisions(config: Config, facts: Mapping[int, DeviceFacts]) -> list[Decision]:
    """What is done about the filesystems of which there are facts; by index of the filesystem."""
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
