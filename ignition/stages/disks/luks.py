"""The step that makes encrypted volumes (LUKS 2) and opens them, or opens those that are there.

All keys are fetched before anything is written. They are never in a file here: programs get them on
standard input, and the files stage gets them with the state. Volumes that are there are opened first, so
that a wrong key stops everything before another volume is made. Rules: engine.md 9.3.3.

New volumes are made side by side as far as memory and processors go. Deriving a key is meant to take up to
1 GiB and four processors for two seconds: more at once would run out of the one, or, short of the other,
settle for weaker parameters, since cryptsetup chooses them by the clock.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ignition.errors import ActionFailed, CommandFailed, IgnitionError, Refusal
from ignition.host import Host, blocks
from ignition.host.command import Command
from ignition.host.mounts import Use
from ignition.report import ConfigPath, format_path
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.stages.actions import RunCommand, Together
from ignition.stages.disks import signatures
from ignition.stages.disks.settle import Settle
from ignition.state import State
from ignition.tools import cryptsetup, wipefs

__all__ = [
    "Do", "Found", "MakeVolume", "OpenVolume", "VolumeFacts", "Volumes", "decide", "differences", "refusals",
    "room",
]  # fmt: skip

PATH: ConfigPath = ("storage", "luks")
ENCRYPTED: Final = "crypto_LUKS"
MAPPED: Final = "/dev/mapper"
GENERATED: Final = 4096
"""Random bytes of a generated key; it is their hexadecimal digits."""

MEMORY: Final = 1 << 30
"""Bytes that deriving a key takes at most, and at most half of all. Source: cryptsetup-luksFormat(8)."""
PROCESSORS: Final = 4
AT_ONCE: Final = 8

MODULES: Final = {"dm_mod": "dm_mod", "Check that kernel supports": "dm_crypt and that of the cipher"}
"""What cryptsetup says → what the kernel lacks."""

REPLACE: Final = "set wipeVolume: true to make the volume anew, or correct the config"
STOP_USING: Final = "unmount or close what uses it first; what the boot itself uses cannot be changed"


class Do(enum.Enum):
    """What to do about a volume of the config."""

    OPEN = "open"
    MAKE = "make"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Found:
    """What is on a device.

    Attributes:
        formats: types of all signatures on it, partition tables aside; none if there is nothing.
        is_luks2: whether it is a volume that may be opened; the rest is about that.
        label: its label.
        uuid: its UUID.
        flags: what is kept in it about how to open it.
    """

    formats: tuple[str, ...] = ()
    is_luks2: bool = False
    label: str = ""
    uuid: str = ""
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class VolumeFacts:
    """What has to be known of a volume.

    Attributes:
        node: its device's kernel node.
        alias: the path that programs are given.
        found: what is on the device.
        has_signatures: whether anything has to be wiped before a volume is made.
        key: the config's key, or the one that an earlier run of this boot has generated; `None` if one is to
            be generated. Secret.
        in_use: why the device is in use, or "".
        is_open: whether the volume's own name is all that uses it.
        name_is_taken: whether the name is that of another open device.
    """

    node: str
    alias: str
    found: Found = Found()
    has_signatures: bool = False
    key: bytes | None = field(default=None, repr=False)
    in_use: str = ""
    is_open: bool = False
    name_is_taken: bool = False


@dataclass(frozen=True)
class Facts:
    """What has to be known of all volumes, and how many may be made at once."""

    volumes: tuple[VolumeFacts, ...]
    at_once: int = 1


def refusals(config: Config) -> Iterator[Refusal]:
    """Ways of unlocking that this engine does not know yet."""
    for index, volume in enumerate(config.storage.luks):
        if volume.clevis.present:
            yield Refusal((*PATH, index, "clevis"), "Clevis is not supported yet", "use a key file")
        if volume.cex.enabled:
            yield Refusal((*PATH, index, "cex"), "CryptoExpress cards are not supported", "use a key file")


def decide(*, wipe: bool, is_empty: bool, matches: bool) -> Do:
    """The decision for one volume.

    Args:
        wipe: its `wipeVolume`.
        is_empty: there is nothing on its device.
        matches: there is a volume on it that is as the config says and whose key the config has.
    """
    if wipe or is_empty:
        return Do.MAKE
    return Do.OPEN if matches else Do.REFUSE


def differences(wanted: Luks, found: Found, *, has_key: bool) -> Iterator[str]:
    """Why what is on a device cannot be used as the volume of the config."""
    if not found.is_luks2:
        kind = " of version 1" if ENCRYPTED in found.formats else ""
        yield f"there is {', '.join(found.formats) or 'nothing'}{kind}"
        return
    if not has_key:
        yield "it has a key that the config does not name"
    if wanted.label is not None and wanted.label != found.label:
        yield f'label is "{found.label}", not "{wanted.label}"'
    if wanted.uuid is not None and wanted.uuid != found.uuid:
        yield f"uuid is {found.uuid}, not {wanted.uuid}"
    if bool(wanted.discard) != ("allow-discards" in found.flags):
        yield f"discard is {'off' if wanted.discard else 'on'}, not {'on' if wanted.discard else 'off'}"


@dataclass(frozen=True)
class MakeVolume:
    """Make a volume and open it; leaves its key."""

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes | None = field(default=None, repr=False)

    def describe(self) -> str:
        """The volume and its device."""
        return f"creating the encrypted volume {self.volume.name} on {self.volume.device}"

    def perform(self, host: Host) -> State:
        """Make it and open it."""
        volume, key = self.volume, self.key
        if key is None:
            key = os.urandom(GENERATED).hex().encode()
        host.run(
            cryptsetup.format_luks2(
                self.alias,
                key,
                label=volume.label,
                uuid=volume.uuid,
                options=volume.options,
                shown_as=volume.device or "",
            )
        )
        _run(host, _opening(volume, self.alias, key))
        return _left(volume, key)


@dataclass(frozen=True)
class OpenVolume:
    """Open a volume that is there, or try the key of one that is open; leaves its key.

    Raises:
        IgnitionError: the key is wrong; nothing was changed.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes = field(repr=False)
    is_open: bool = False

    def describe(self) -> str:
        """The volume and its device."""
        verb = "trying the key of the open" if self.is_open else "opening the"
        return f"{verb} encrypted volume {self.volume.name} on {self.volume.device}"

    def perform(self, host: Host) -> State:
        """Open it."""
        volume = self.volume
        command = (
            cryptsetup.try_key(self.alias, volume.name, self.key)
            if self.is_open
            else _opening(volume, self.alias, self.key)
        )
        try:
            _run(host, command)
        except CommandFailed as error:
            if error.ran.status != cryptsetup.WRONG_KEY:
                raise
            raise IgnitionError(
                f"the key of the config does not open the volume on {volume.device}",
                path=(*self.path, "keyFile"),
                hint=REPLACE,
            ) from error
        return _left(volume, self.key)


def _run(host: Host, command: Command) -> None:
    """Run it; an error that a missing kernel module explains names that."""
    try:
        host.run(command)
    except CommandFailed as error:
        for text, modules in MODULES.items():
            if text in error.ran.stderr:
                error.hint = f"put the kernel module {modules} into the initramfs"
        raise


def _opening(volume: Luks, alias: str, key: bytes) -> Command:
    return cryptsetup.open_volume(
        alias, volume.name, key, discard=volume.discard is True, options=volume.open_options
    )


def _left(volume: Luks, key: bytes) -> State:
    from ignition import dataurl

    return State(luks_keys={volume.name: dataurl.encode(key)})


class Volumes:
    """The encrypted volumes of the config."""

    name = "luks"

    def wanted(self, config: Config) -> bool:
        """Whether there is any."""
        return bool(config.storage.luks)

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """Wait for the devices, see what is on them, and fetch the keys."""
        volumes = config.storage.luks
        devices = [volume.device or "" for volume in volumes]
        host.devices.wait({device: (*PATH, index, "device") for index, device in enumerate(devices)})
        nodes = [host.devices.resolve(device) for device in devices]
        listed = signatures.listed(host, tuple(dict.fromkeys(nodes)))
        use = Use.now(host.system)
        facts = []
        for index, (volume, node) in enumerate(zip(volumes, nodes, strict=True)):
            alias = host.devices.alias(devices[index])
            is_open = _is_open(host, volume, node)
            facts.append(
                VolumeFacts(
                    node=node,
                    alias=alias,
                    # What is wiped whatever it is need not be looked at any closer.
                    found=Found() if volume.wipe_volume else _found(host, alias, listed[node]),
                    has_signatures=bool(listed[node]),
                    key=_key(host, volume, state, (*PATH, index, "keyFile")),
                    in_use=use.of_any(node),
                    is_open=is_open,
                    name_is_taken=not is_open and blocks.exists(host.system, f"{MAPPED}/{volume.name}"),
                )
            )
        return Facts(tuple(facts), room())

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Decide for each volume; one refusal refuses all."""
        decisions = [
            _Decision(volume, index, facts.volumes[index]) for index, volume in enumerate(config.storage.luks)
        ]
        refused = (
            *(refusal for each in decisions for refusal in each.refusals()),
            *_named_twice(decisions),
        )
        if refused:
            return Plan(refusals=refused)
        made = [each for each in decisions if each.do is Do.MAKE]
        return Plan(
            actions=tuple(_actions(decisions, made, facts.at_once)),
            creates=frozenset(path for each in decisions for path in each.creates()),
        )


# What is there.


def room() -> int:
    """How many volumes can be made at once on this machine."""
    page = os.sysconf("SC_PAGE_SIZE")
    each = max(1, min(MEMORY, os.sysconf("SC_PHYS_PAGES") * page // 2))
    by_memory = os.sysconf("SC_AVPHYS_PAGES") * page // each
    return max(1, min(AT_ONCE, by_memory, len(os.sched_getaffinity(0)) // PROCESSORS))


def _is_open(host: Host, volume: Luks, node: str) -> bool:
    """Whether the volume is open under its name, and nothing else is built on its device."""
    names = [blocks.mapper_name(host.system, holder) for holder in blocks.holders(host.system, node)]
    return names == [volume.name]


def _found(host: Host, alias: str, listed: Sequence[wipefs.Signature]) -> Found:
    formats = tuple(dict.fromkeys(each.format for each in listed if not each.is_table))
    if ENCRYPTED in formats and host.run(cryptsetup.is_luks(alias, version_2=True)).status == 0:
        label = next(each.label for each in listed if each.format == ENCRYPTED)
        uuid = host.run(cryptsetup.uuid(alias)).stdout.strip()
        flags = cryptsetup.parse_flags(host.run(cryptsetup.metadata(alias)).stdout)
        return Found(formats, is_luks2=True, label=label, uuid=uuid, flags=flags)
    probed = signatures.found(host, alias, listed)
    if probed is None:
        return Found(formats)
    return Found((probed.format,) if probed.format else ())


def _key(host: Host, volume: Luks, state: State, path: ConfigPath) -> bytes | None:
    if not volume.key_file.source:
        return state.luks_key(volume.name)
    from ignition.config.resources import source_of

    try:
        key = host.fetch.bytes(source_of(volume.key_file))
    except IgnitionError as error:
        why = f"the key of the volume {volume.name} could not be fetched: {error}"
        raise ActionFailed(why, path=path, hint=error.hint) from error
    if not key:
        hint = "a volume without a key file gets a key of its own"
        raise ActionFailed(f"the key of the volume {volume.name} is empty", path=path, hint=hint)
    return key


# What is done.


@dataclass(frozen=True)
class _Decision:
    wanted: Luks
    index: int
    facts: VolumeFacts

    @property
    def path(self) -> ConfigPath:
        return (*PATH, self.index)

    @property
    def do(self) -> Do:
        return decide(
            wipe=self.wanted.wipe_volume is True,
            is_empty=not self.facts.found.formats,
            matches=not any(self.differences()),
        )

    def differences(self) -> Iterator[str]:
        return differences(self.wanted, self.facts.found, has_key=self.facts.key is not None)

    def refusals(self) -> Iterator[Refusal]:
        device, facts = self.wanted.device, self.facts
        if self.do is Do.REFUSE:
            text = "; ".join(self.differences())
            reason = f"what is on {device} cannot be used as the volume {self.wanted.name}: {text}"
            yield Refusal((*self.path, "wipeVolume"), reason, REPLACE)
        elif facts.in_use and not (self.do is Do.OPEN and facts.is_open):
            verb = "made" if self.do is Do.MAKE else "opened"
            reason = f"the volume {self.wanted.name} would be {verb} on {device}, and that is {facts.in_use}"
            yield Refusal((*self.path, "device"), reason, STOP_USING)
        if facts.name_is_taken:
            reason = f"{MAPPED}/{self.wanted.name} is there already, and is another device"
            yield Refusal((*self.path, "name"), reason, "give the volume another name")

    def make(self) -> MakeVolume:
        return MakeVolume(self.path, self.wanted, self.facts.alias, self.facts.key)

    def open(self) -> OpenVolume:
        assert self.facts.key is not None  # without one nothing matches
        return OpenVolume(self.path, self.wanted, self.facts.alias, self.facts.key, self.facts.is_open)

    def creates(self) -> Iterator[str]:
        if not self.facts.is_open:
            yield f"{MAPPED}/{self.wanted.name}"
        if self.do is Do.MAKE and self.wanted.uuid:
            yield f"/dev/disk/by-uuid/{self.wanted.uuid}"
        if self.do is Do.MAKE and self.wanted.label:
            yield f"/dev/disk/by-label/{self.wanted.label}"


def _actions(decisions: Sequence[_Decision], made: Sequence[_Decision], at_once: int) -> Iterator[Action]:
    opened = tuple(each.open() for each in decisions if each.do is Do.OPEN)
    yield from _together("opening encrypted volumes", opened, at_once)
    if full := [each for each in made if each.facts.has_signatures]:
        devices = [each.wanted.device or "" for each in full]
        yield RunCommand(PATH, wipefs.erase((each.facts.alias for each in full), shown_as=devices))
    yield from _together("creating encrypted volumes", tuple(each.make() for each in made), at_once)
    if made:
        yield Settle(PATH, tuple(each.facts.node for each in made))


def _together(what: str, actions: tuple[Action, ...], at_once: int) -> Iterator[Action]:
    if len(actions) > 1:
        yield Together(PATH, what, actions, limit=at_once)
    else:
        yield from actions


def _named_twice(decisions: Iterable[_Decision]) -> Iterator[Refusal]:
    """Two names of one device."""
    first: dict[str, _Decision] = {}
    for decision in decisions:
        other = first.setdefault(decision.facts.node, decision)
        if other is not decision:
            same = f"{other.wanted.device} ({format_path(other.path)})"
            reason = f"{decision.wanted.device} is the same device as {same}"
            yield Refusal((*decision.path, "device"), reason, "a device can hold one volume")
