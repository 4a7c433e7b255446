"""The step that makes encrypted volumes (LUKS 2) and opens them, or opens those that are there.

All keys are fetched before anything is written. They are never in a file here: programs get them on
standard input, and the files stage gets them with the state. Volumes that are there are opened first, so
that a wrong key stops everything before another volume is made. Rules: engine.md 9.3.3.

What is done to one volume is in `volumes`, how others than keys unlock it in `clevis` and `cex`. A volume of
theirs is never used again, since nobody knows what unlocks it by now, unless this very boot has made it: an
earlier try has left its key in the state, before the volume was there, or that the key is gone again.

New volumes are made side by side as far as memory and processors go. Deriving a key is meant to take up to
1 GiB and four processors for two seconds: more at once would run out of the one, or, short of the other,
settle for weaker parameters, since cryptsetup chooses them by the clock.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host import Host, blocks
from ignition.host.mounts import Use, remedy
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.stages.actions import AT_ONCE, in_parallel
from ignition.stages.disks import signatures
from ignition.stages.disks.locked import RunLocked
from ignition.stages.disks.luks import cex, clevis
from ignition.stages.disks.luks.actions import REPLACE, CloseVolume, MakeVolume, OpenVolume, ResumeVolume
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.udev import Settle
from ignition.tools import cryptsetup, wipefs

if TYPE_CHECKING:
    from ignition.preview.effects import Effect
    from ignition.preview.host import PreviewHost

__all__ = [
    "Decision", "Do", "Found", "VolumeFacts", "Volumes", "decide", "differences", "needs", "refusals",
    "room",
]  # fmt: skip

PATH: ConfigPath = ("storage", "luks")
MEMORY: Final = 1 << 30
"""Bytes that deriving a key takes at most, and at most half of all. Source: cryptsetup-luksFormat(8)."""
PROCESSORS: Final = 4

UNKNOWN: Final = cryptsetup.Metadata()


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
        metadata: what else it says of itself.
    """

    formats: tuple[str, ...] = ()
    is_luks2: bool = False
    label: str = ""
    uuid: str = ""
    metadata: cryptsetup.Metadata = UNKNOWN


@dataclass(frozen=True)
class VolumeFacts:
    """What has to be known of a volume.

    Attributes:
        node: its device's kernel node.
        alias: the path that programs are given.
        found: what is on the device.
        has_signatures: whether anything has to be wiped before a volume is made.
        key: the config's key, or the one that an earlier try of this boot has generated; `None` if one is to
            be generated. Secret.
        is_ours: whether an earlier try of this boot has made a volume of this name, or was about to.
        in_use: why the device is in use, or "".
        is_open: whether the volume's own name is all that uses it.
        opened_in_use: why the open volume is in use itself, or "".
        name_is_taken: whether the name is that of another open device.
        cards: the crypto cards that could protect its key, if one is to.
    """

    node: str
    alias: str
    found: Found = Found()
    has_signatures: bool = False
    key: bytes | None = field(default=None, repr=False)
    is_ours: bool = False
    in_use: str = ""
    is_open: bool = False
    opened_in_use: str = ""
    name_is_taken: bool = False
    cards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What has to be known of all volumes, and how many may be made at once."""

    volumes: tuple[VolumeFacts, ...]
    at_once: int = 1


def refusals(config: Config) -> Iterator[Refusal]:
    """What can never unlock the volumes that it should."""
    for index, volume in enumerate(config.storage.luks):
        if volume.clevis.present:
            yield from clevis.refusals(volume.clevis, (*PATH, index, "clevis"))


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """The programs that the volumes of a config need, each with the place that asks for it."""
    for index, volume in enumerate(config.storage.luks):
        path = (*PATH, index)
        yield cryptsetup.PROGRAM, path
        if volume.clevis.present:
            yield from clevis.needs(volume.clevis, (*path, "clevis"))
        if volume.cex.enabled:
            yield from cex.needs((*path, "cex"))


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


def differences(wanted: Luks, found: Found, *, has_key: bool, is_ours: bool = False) -> Iterator[str]:
    """Why what is on a device cannot be used as the volume of the config."""
    if not found.is_luks2:
        kind = " of version 1" if signatures.ENCRYPTED in found.formats else ""
        yield f"there is {', '.join(found.formats) or 'nothing'}{kind}"
        return
    if (wanted.clevis.present or wanted.cex.enabled) and not is_ours:
        yield f"{'a crypto card' if wanted.cex.enabled else 'Clevis'} unlocks only volumes that are made anew"
    elif not has_key:
        yield "it has a key that the config does not name"
    if wanted.label is not None and wanted.label != found.label:
        yield f'label is "{found.label}", not "{wanted.label}"'
    if wanted.uuid is not None and wanted.uuid != found.uuid:
        yield f"uuid is {found.uuid}, not {wanted.uuid}"
    if bool(wanted.discard) != ("allow-discards" in found.metadata.flags):
        yield f"discard is {'off' if wanted.discard else 'on'}, not {'on' if wanted.discard else 'off'}"


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
        facts = (
            replace(
                _look(host, volume, node, listed[node], use),
                key=_key(host, volume, state, (*PATH, index, "keyFile")),
                is_ours=volume.name in state.luks_keys,
            )
            for index, (volume, node) in enumerate(zip(volumes, nodes, strict=True))
        )
        return Facts(tuple(facts), room())

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Decide for each volume; one refusal refuses all."""
        decisions = [
            Decision(volume, index, facts.volumes[index]) for index, volume in enumerate(config.storage.luks)
        ]
        refused = (
            *(refusal for each in decisions for refusal in each.refusals()),
            *device_conflicts.named_twice(each.named() for each in decisions),
        )
        if refused:
            return Plan(refusals=refused)
        made = [each for each in decisions if each.do is Do.MAKE]
        return Plan(
            actions=tuple(_actions(decisions, made, facts.at_once)),
            creates=frozenset(path for each in decisions for path in each.creates()),
        )

    def effects(self, config: Config, facts: Facts, host: Host) -> Iterator[Effect]:
        """What happens to each volume, and to what is in its place."""
        del host
        from ignition.preview import luks

        return luks.effects(self.plan(config, facts))

    def foresee(self, config: Config, facts: Facts, host: PreviewHost) -> State:
        """The volumes that there will be; returns their keys."""
        from ignition.preview import luks

        return luks.foresee(config, self.plan(config, facts), host)


# What is there.


def room() -> int:
    """How many volumes can be made at once on this machine."""
    page = os.sysconf("SC_PAGE_SIZE")
    each = max(1, min(MEMORY, os.sysconf("SC_PHYS_PAGES") * page // 2))
    by_memory = os.sysconf("SC_AVPHYS_PAGES") * page // each
    return max(1, min(AT_ONCE, by_memory, len(os.sched_getaffinity(0)) // PROCESSORS))


def _look(host: Host, volume: Luks, node: str, listed: Sequence[wipefs.Signature], use: Use) -> VolumeFacts:
    """What there is to see of a volume; `listed` are the signatures on its device."""
    alias = host.devices.alias(volume.device or "")
    opened = _opened(host, volume, node)
    return VolumeFacts(
        node=node,
        alias=alias,
        # What is wiped whatever it is need not be looked at any closer.
        found=Found() if volume.wipe_volume else _found(host, alias, listed),
        has_signatures=bool(listed),
        in_use=use.of_any(node),
        is_open=bool(opened),
        opened_in_use=use.of_any(opened) if opened else "",
        name_is_taken=not opened and blocks.exists(host.system, cryptsetup.device_of(volume.name)),
        cards=cex.cards(host) if volume.cex.enabled else (),
    )


def _opened(host: Host, volume: Luks, node: str) -> str:
    """The kernel node of the open volume, if nothing but that is built on its device; else ""."""
    holders = blocks.holders(host.system, node)
    names = [blocks.mapper_name(host.system, holder) for holder in holders]
    return holders[0] if names == [volume.name] else ""


def _found(host: Host, alias: str, listed: Sequence[wipefs.Signature]) -> Found:
    formats = tuple(dict.fromkeys(each.format for each in listed if not each.is_table))
    if signatures.ENCRYPTED in formats and host.run(cryptsetup.is_luks2(alias)).status == 0:
        label = next(each.label for each in listed if each.format == signatures.ENCRYPTED)
        uuid = host.run(cryptsetup.uuid(alias)).stdout.strip()
        metadata = cryptsetup.parse_metadata(host.run(cryptsetup.metadata(alias)).stdout)
        return Found(formats, is_luks2=True, label=label, uuid=uuid, metadata=metadata)
    probed = signatures.found(host, alias, listed)
    if probed is None:
        return Found(formats)
    return Found((probed.format,) if probed.format else ())


def _key(host: Host, volume: Luks, state: State, path: ConfigPath) -> bytes | None:
    if not volume.key_file.source:
        return state.luks_key(volume.name)
    from ignition.config.source import source_of

    try:
        key = host.fetch.bytes(source_of(volume.key_file))
    except IgnitionError as error:
        why = f"the key of the volume {volume.name} could not be fetched: {error}"
        raise IgnitionError(why, path=path, hint=error.hint) from error
    if not key:
        hint = "a volume without a key file gets a key of its own"
        raise IgnitionError(f"the key of the volume {volume.name} is empty", path=path, hint=hint)
    return key


# What is done.


@dataclass(frozen=True)
class Decision:
    """What is done about one volume, and why not.

    Attributes:
        index: its place in the config.
    """

    wanted: Luks
    index: int
    facts: VolumeFacts

    @property
    def path(self) -> ConfigPath:
        """Where in the config it stands."""
        return (*PATH, self.index)

    @property
    def device(self) -> str:
        """The open volume's."""
        return cryptsetup.device_of(self.wanted.name)

    @property
    def do(self) -> Do:
        """What to do."""
        return decide(
            wipe=self.wanted.wipe_volume is True,
            is_empty=not self.facts.found.formats or self.is_broken_off,
            matches=not any(self.differences()),
        )

    @property
    def is_broken_off(self) -> bool:
        """Whether an earlier try of this boot was ended while it made the volume; nothing can be in it."""
        return self.facts.is_ours and self.facts.found.metadata.is_void

    @property
    def is_reopened(self) -> bool:
        """Whether the volume is open, is to be made anew, and can be closed for that."""
        return self.wanted.wipe_volume is True and self.facts.is_open and not self.facts.opened_in_use

    def differences(self) -> Iterator[str]:
        """Why what is on its device cannot be used."""
        wanted, facts = self.wanted, self.facts
        is_bound = wanted.clevis.present and bool(facts.found.metadata.bindings)
        has_key = facts.key is not None or is_bound or wanted.cex.enabled is True
        return differences(wanted, facts.found, has_key=has_key, is_ours=facts.is_ours)

    def refusals(self) -> Iterator[Refusal]:
        """Why it will be neither made nor opened, all reasons."""
        device, facts = self.wanted.device, self.facts
        if self.do is Do.REFUSE:
            text = "; ".join(self.differences())
            reason = f"what is on {device} cannot be used as the volume {self.wanted.name}: {text}"
            yield Refusal((*self.path, "wipeVolume"), reason, REPLACE)
        elif facts.in_use and not self.is_reopened and not (self.do is Do.OPEN and facts.is_open):
            verb = "made" if self.do is Do.MAKE else "opened"
            use = facts.opened_in_use or facts.in_use
            that = self.device if facts.opened_in_use else "that"
            reason = f"the volume {self.wanted.name} would be {verb} on {device}, and {that} is {use}"
            yield Refusal((*self.path, "device"), reason, remedy(use))
        if facts.name_is_taken:
            reason = f"{self.device} is there already, and is another device"
            yield Refusal((*self.path, "name"), reason, "give the volume another name")
        if self.wanted.cex.enabled and not facts.cards:
            reason = "this machine has no CryptoExpress card that could protect the volume's key"
            yield Refusal((*self.path, "cex"), reason, "give it a domain of a card in CCA mode")

    def named(self) -> device_conflicts.Named:
        """Its device."""
        return (*self.path, "device"), self.wanted.device or "", self.facts.node

    def close(self) -> CloseVolume:
        """The action that closes it."""
        return CloseVolume(self.path, self.wanted)

    def make(self) -> MakeVolume:
        """The action that makes it."""
        facts = self.facts
        return MakeVolume(self.path, self.wanted, facts.alias, facts.key, facts.node, facts.cards)

    def open(self) -> OpenVolume | ResumeVolume:
        """The action that opens it, or brings it to its end."""
        wanted, facts = self.wanted, self.facts
        if wanted.clevis.present or wanted.cex.enabled:
            is_bound = bool(facts.found.metadata.bindings)
            return ResumeVolume(self.path, wanted, facts.alias, facts.key, is_bound, facts.is_open)
        assert facts.key is not None  # without one nothing matches
        return OpenVolume(self.path, wanted, facts.alias, facts.key, facts.is_open)

    def creates(self) -> Iterator[str]:
        """The device paths that there will be."""
        if self.do is Do.MAKE or not self.facts.is_open:
            yield self.device
        if self.do is Do.MAKE and self.wanted.uuid:
            yield f"/dev/disk/by-uuid/{self.wanted.uuid}"
        if self.do is Do.MAKE and self.wanted.label:
            yield f"/dev/disk/by-label/{self.wanted.label}"


def _actions(decisions: Sequence[Decision], made: Sequence[Decision], at_once: int) -> Iterator[Action]:
    opened = (each.open() for each in decisions if each.do is Do.OPEN)
    yield from in_parallel(PATH, "opening encrypted volumes", opened, at_once)
    yield from (each.close() for each in made if each.is_reopened)
    if full := [each for each in made if each.facts.has_signatures]:
        devices = [each.wanted.device or "" for each in full]
        command = wipefs.erase((each.facts.alias for each in full), shown_as=devices)
        yield RunLocked(PATH, command, tuple(each.facts.node for each in full))
    yield from in_parallel(PATH, "creating encrypted volumes", (each.make() for each in made), at_once)
    if made:
        yield Settle(PATH, tuple(each.facts.node for each in made))
