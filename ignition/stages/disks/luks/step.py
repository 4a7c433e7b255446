# SPDX-License-Identifier: Apache-2.0
"""The step that creates LUKS 2 volumes and opens them, or opens existing ones.

All keys are fetched before the first write. They are never in a file here: programs read them from standard
input, and the files stage gets them with the state. Existing volumes are opened first, so that a wrong key
fails before another volume is created. Rules: docs/reference/stages.md, "disks stage: LUKS".

The actions on one volume are in actions.py; clevis.py and cex.py unlock volumes by other means than keys.
Such a volume is never reused, because what unlocks it is unknown, unless this boot created it: then the state
has its key, or the note that its key was removed.

New volumes are created in parallel as memory and processors allow. Deriving a key takes up to 1 GiB and four
processors for two seconds: too many at once would exhaust memory, or lead to weaker parameters, since
cryptsetup chooses them by the time that they take.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host import View, blocks
from ignition.host.device_use import DevicesInUse, DeviceUse
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.stages.actions import AT_ONCE, in_parallel
from ignition.stages.disks import signatures
from ignition.stages.disks.luks import cex, clevis
from ignition.stages.disks.luks.actions import REPLACE, CloseVolume, MakeVolume, OpenVolume, ResumeVolume
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.udev import RunLocked, Settle
from ignition.tools import cryptsetup, wipefs

__all__ = [
    "Decision",
    "DeviceContents",
    "Do",
    "VolumeFacts",
    "Volumes",
    "decide",
    "differences",
    "needs",
    "refusals",
    "room",
]  # fmt: skip

PATH: ConfigPath = ("storage", "luks")
MEMORY: Final = 1 << 30
"""Bytes that deriving a key takes at most, and at most half of the memory; see cryptsetup-luksFormat(8)."""
PROCESSORS: Final = 4

UNKNOWN: Final = cryptsetup.Metadata()


class Do(enum.Enum):
    """The decision for one volume."""

    OPEN = "open"
    MAKE = "make"
    REFUSE = "refuse"


@dataclass(frozen=True)
class DeviceContents:
    """The signatures on a device, and its LUKS header.

    Attributes:
        formats: types of all signatures except partition tables.
        is_luks2: whether it is a LUKS 2 volume; the other attributes describe that.
        label: its label.
        uuid: its UUID.
        metadata: tokens and flags of its header.
    """

    formats: tuple[str, ...] = ()
    is_luks2: bool = False
    label: str = ""
    uuid: str = ""
    metadata: cryptsetup.Metadata = UNKNOWN


@dataclass(frozen=True)
class VolumeFacts:
    """Facts about a volume and its device.

    Attributes:
        node: its device's kernel node.
        alias: the device's path for programs.
        found: the contents of the device.
        has_signatures: whether signatures have to be wiped before a volume is created.
        key: the config's key, or the key that an earlier try of this boot generated; None if a key is to
            be generated. Secret.
        is_key_empty: whether the config's key file is empty.
        is_ours: whether an earlier try of this boot created a volume of this name, or began to.
        in_use: how the device is in use, or None.
        is_open: whether the open volume is the only holder of the device.
        opened_in_use: how the open volume itself is in use, or None.
        name_is_taken: whether another device-mapper device has the volume's name.
        cards: the crypto cards that can protect its key, where one is wanted.
    """

    node: str
    alias: str
    found: DeviceContents = DeviceContents()
    has_signatures: bool = False
    key: bytes | None = field(default=None, repr=False)
    is_key_empty: bool = False
    is_ours: bool = False
    in_use: DeviceUse | None = None
    is_open: bool = False
    opened_in_use: DeviceUse | None = None
    name_is_taken: bool = False
    cards: tuple[str, ...] = ()


@dataclass(frozen=True)
class LuksFacts:
    """Facts about all volumes, and the number that may be created in parallel."""

    volumes: tuple[VolumeFacts, ...]
    at_once: int = 1


def refusals(config: Config) -> Iterator[Refusal]:
    """Refuse Clevis configurations that can never unlock their volume."""
    for index, volume in enumerate(config.storage.luks):
        if volume.clevis.present:
            yield from clevis.refusals(volume.clevis, (*PATH, index, "clevis"))


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs that the step needs, each with the config path that needs it."""
    for index, volume in enumerate(config.storage.luks):
        path = (*PATH, index)
        yield cryptsetup.PROGRAM, path
        if volume.clevis.present:
            yield from clevis.needs(volume.clevis, (*path, "clevis"))
        if volume.cex.enabled:
            yield from cex.needs((*path, "cex"))


def decide(*, wipe: bool, is_empty: bool, matches: bool) -> Do:
    """Decide what is done for one volume.

    Args:
        wipe: its `wipeVolume`.
        is_empty: whether its device has no signature.
        matches: whether a matching volume exists and its key is known.
    """
    if wipe or is_empty:
        return Do.MAKE
    return Do.OPEN if matches else Do.REFUSE


def differences(
    wanted: Luks, found: DeviceContents, *, has_key: bool, is_ours: bool = False
) -> Iterator[str]:
    """Yield each reason why the existing contents cannot be used as the configured volume."""
    if not found.is_luks2:
        kind = " of version 1" if signatures.ENCRYPTED in found.formats else ""
        yield f"found {', '.join(found.formats) or 'nothing'}{kind}, want LUKS 2"
        return
    if (wanted.clevis.present or wanted.cex.enabled) and not is_ours:
        yield f"{'a CEX key' if wanted.cex.enabled else 'Clevis'} needs a newly created volume"
    elif not has_key:
        yield "its key is unknown, because the config has no keyFile"
    if wanted.label is not None and wanted.label != found.label:
        yield f'label is "{found.label}", want "{wanted.label}"'
    if wanted.uuid is not None and wanted.uuid != found.uuid:
        yield f"uuid is {found.uuid}, want {wanted.uuid}"
    if bool(wanted.discard) != ("allow-discards" in found.metadata.flags):
        yield f"discard is {'off' if wanted.discard else 'on'}, want {'on' if wanted.discard else 'off'}"


class Volumes:
    """The step for the LUKS volumes of the config."""

    name = "luks"

    def wanted(self, config: Config) -> bool:
        return bool(config.storage.luks)

    def observe(self, config: Config, host: View, state: State) -> LuksFacts:
        """Wait for the devices, read their headers, and fetch the keys."""
        volumes = config.storage.luks
        devices = [volume.device or "" for volume in volumes]
        host.devices.wait({device: (*PATH, index, "device") for index, device in enumerate(devices)})
        nodes = [host.devices.resolve(device) for device in devices]
        listed = signatures.listed(host, tuple(dict.fromkeys(nodes)))
        use = DevicesInUse.read(host.system)
        facts = (
            replace(
                _look(host, volume, node, listed[node], use),
                key=(key := _key(host, volume, state, (*PATH, index, "keyFile"))),
                is_key_empty=key == b"",
                is_ours=volume.name in state.luks_keys,
            )
            for index, (volume, node) in enumerate(zip(volumes, nodes, strict=True))
        )
        return LuksFacts(tuple(facts), room())

    def plan(self, config: Config, facts: LuksFacts) -> Plan:
        """Decide for each volume; one refusal refuses all volumes."""
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


# Facts.


def room() -> int:
    """Return the number of volumes that this machine can create in parallel."""
    page = os.sysconf("SC_PAGE_SIZE")
    each = max(1, min(MEMORY, os.sysconf("SC_PHYS_PAGES") * page // 2))
    by_memory = os.sysconf("SC_AVPHYS_PAGES") * page // each
    return max(1, min(AT_ONCE, by_memory, len(os.sched_getaffinity(0)) // PROCESSORS))


def _look(
    host: View, volume: Luks, node: str, listed: Sequence[wipefs.Signature], use: DevicesInUse
) -> VolumeFacts:
    """Read the facts about a volume; `listed` are the signatures on its device."""
    alias = host.devices.alias(volume.device or "")
    opened = _opened(host, volume, node)
    return VolumeFacts(
        node=node,
        alias=alias,
        # A wiped device needs no closer look.
        found=DeviceContents() if volume.wipe_volume else _found(host, alias, listed),
        has_signatures=bool(listed),
        in_use=use.of_any(node),
        is_open=bool(opened),
        opened_in_use=use.of_any(opened) if opened else None,
        name_is_taken=not opened and blocks.exists(host.system, cryptsetup.device_of(volume.name)),
        cards=cex.cards(host) if volume.cex.enabled else (),
    )


def _opened(host: View, volume: Luks, node: str) -> str:
    """Return the kernel node of the open volume if it is the only holder of the device, else ""."""
    holders = blocks.holders(host.system, node)
    names = [blocks.mapper_name(host.system, holder) for holder in holders]
    return holders[0] if names == [volume.name] else ""


def _found(host: View, alias: str, listed: Sequence[wipefs.Signature]) -> DeviceContents:
    formats = tuple(dict.fromkeys(each.format for each in listed if not each.is_table))
    if signatures.ENCRYPTED in formats and host.run(cryptsetup.is_luks2(alias)).status == 0:
        label = next(each.label for each in listed if each.format == signatures.ENCRYPTED)
        uuid = host.run(cryptsetup.uuid(alias)).stdout.strip()
        metadata = cryptsetup.parse_metadata(host.run(cryptsetup.metadata(alias)).stdout)
        return DeviceContents(formats, is_luks2=True, label=label, uuid=uuid, metadata=metadata)
    probed = signatures.found(host, alias, listed)
    if probed is None:
        return DeviceContents(formats)
    return DeviceContents((probed.format,) if probed.format else ())


def _key(host: View, volume: Luks, state: State, path: ConfigPath) -> bytes | None:
    if not volume.key_file.source:
        return state.luks_key(volume.name)
    from ignition.config.source import source_of

    try:
        key = host.fetch.bytes(source_of(volume.key_file))
    except IgnitionError as error:
        why = f'cannot fetch the key of LUKS volume "{volume.name}": {error}'
        raise IgnitionError(why, path=path, hint=error.hint) from error
    return key


# Decisions and actions.


@dataclass(frozen=True)
class Decision:
    """The decision for one volume, and its refusals.

    Attributes:
        index: its index in the config.
    """

    wanted: Luks
    index: int
    facts: VolumeFacts

    @property
    def path(self) -> ConfigPath:
        return (*PATH, self.index)

    @property
    def device(self) -> str:
        """The path of the open volume."""
        return cryptsetup.device_of(self.wanted.name)

    @property
    def do(self) -> Do:
        return decide(
            wipe=self.wanted.wipe_volume is True,
            is_empty=not self.facts.found.formats or self.is_incomplete,
            matches=not any(self.differences()),
        )

    @property
    def is_incomplete(self) -> bool:
        """Whether an interrupted earlier try of this boot left the volume unfinished, and so empty."""
        return self.facts.is_ours and self.facts.found.metadata.is_void

    @property
    def is_reopened(self) -> bool:
        """Whether the volume is open, will be recreated, and can be closed for that."""
        return self.wanted.wipe_volume is True and self.facts.is_open and not self.facts.opened_in_use

    def differences(self) -> Iterator[str]:
        """Yield each reason why the contents of its device cannot be used."""
        wanted, facts = self.wanted, self.facts
        is_bound = wanted.clevis.present and bool(facts.found.metadata.bindings)
        has_key = facts.key is not None or is_bound or wanted.cex.enabled is True
        return differences(wanted, facts.found, has_key=has_key, is_ours=facts.is_ours)

    def refusals(self) -> Iterator[Refusal]:
        """Yield all reasons why it can neither be created nor opened."""
        device, facts = self.wanted.device, self.facts
        if facts.is_key_empty:
            reason = f'the key of LUKS volume "{self.wanted.name}" is empty'
            yield Refusal((*self.path, "keyFile"), reason, "remove keyFile to have a key generated")
        if self.do is Do.REFUSE:
            text = "; ".join(self.differences())
            reason = f'cannot use {device} as LUKS volume "{self.wanted.name}": {text}'
            yield Refusal((*self.path, "wipeVolume"), reason, REPLACE)
        elif facts.in_use and not self.is_reopened and not (self.do is Do.OPEN and facts.is_open):
            verb = "create" if self.do is Do.MAKE else "open"
            use = facts.opened_in_use or facts.in_use
            what = f"{self.device} is in use" if facts.opened_in_use else "in use"
            reason = f'cannot {verb} LUKS volume "{self.wanted.name}" on {device}: {what} ({use.describe()})'
            yield Refusal((*self.path, "device"), reason, use.hint())
        if facts.name_is_taken:
            reason = f"{self.device} exists and is another device"
            yield Refusal((*self.path, "name"), reason, "change the name of the volume")
        if self.wanted.cex.enabled and not facts.cards:
            reason = "no CryptoExpress card in CCA mode found"
            yield Refusal(
                (*self.path, "cex"), reason, "assign a domain of a card in CCA mode to this machine"
            )

    def named(self) -> device_conflicts.Named:
        """Return its device."""
        return (*self.path, "device"), self.wanted.device or "", self.facts.node

    def close(self) -> CloseVolume:
        """Return the action that closes it."""
        return CloseVolume(self.path, self.wanted)

    def make(self) -> MakeVolume:
        """Return the action that creates it."""
        facts = self.facts
        return MakeVolume(self.path, self.wanted, facts.alias, facts.key, facts.node, facts.cards)

    def open(self) -> OpenVolume | ResumeVolume:
        """Return the action that opens it, or resumes its creation."""
        wanted, facts = self.wanted, self.facts
        if wanted.clevis.present or wanted.cex.enabled:
            is_bound = bool(facts.found.metadata.bindings)
            return ResumeVolume(self.path, wanted, facts.alias, facts.key, is_bound, facts.is_open)
        assert facts.key is not None  # without a key nothing matches
        return OpenVolume(self.path, wanted, facts.alias, facts.key, facts.is_open)

    def creates(self) -> Iterator[str]:
        """Yield the device paths that it gets."""
        if self.do is Do.MAKE or not self.facts.is_open:
            yield self.device
        if self.do is Do.MAKE and self.wanted.uuid:
            yield f"/dev/disk/by-uuid/{self.wanted.uuid}"
        if self.do is Do.MAKE and self.wanted.label:
            yield f"/dev/disk/by-label/{self.wanted.label}"


def _actions(decisions: Sequence[Decision], made: Sequence[Decision], at_once: int) -> Iterator[Action]:
    opened = (each.open() for each in decisions if each.do is Do.OPEN)
    yield from in_parallel(PATH, "opening LUKS volumes", opened, at_once)
    yield from (each.close() for each in made if each.is_reopened)
    if full := [each for each in made if each.facts.has_signatures]:
        devices = [each.wanted.device or "" for each in full]
        command = wipefs.erase((each.facts.alias for each in full), shown_as=devices)
        yield RunLocked(PATH, command, tuple(each.facts.node for each in full))
    yield from in_parallel(PATH, "creating LUKS volumes", (each.make() for each in made), at_once)
    if made:
        yield Settle(PATH, tuple(each.facts.node for each in made))
