# SPDX-License-Identifier: Apache-2.0
"""The step that creates RAID arrays, or keeps those that match the config.

One wipefs call lists the signatures on all members; only members of an existing array are examined with
mdadm. Independent arrays are created in parallel; arrays whose members are arrays come after those.

The reference recreates every array in every run, which destroys data, or fails because the members are in
use. Here an array with the same name, level and members is kept and not synchronised again
(docs/compatibility.md). Rules: docs/reference/stages.md, "disks stage: RAID".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host import Host, View, blocks, kernel
from ignition.host.command import Command, CommandFailed
from ignition.host.device_use import DevicesInUse, DeviceUse
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid
from ignition.stages import Action, Plan
from ignition.stages.actions import in_parallel
from ignition.stages.disks import signatures
from ignition.stages.disks.kernel_modules import module_of
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.raid.order import ranks
from ignition.tools import mdadm

__all__ = ["ArrayFacts", "Arrays", "Do", "MakeArray", "MemberFacts", "decide", "differences", "needs"]

PATH: ConfigPath = ("storage", "raid")

FREE_NAME: Final = "change the name, or stop the existing array with `mdadm --stop`"


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs that the step needs, each with the config path that needs it."""
    for index in range(len(config.storage.raid)):
        yield from (("wipefs", (*PATH, index)), ("mdadm", (*PATH, index)))


class Do(enum.Enum):
    """The decision for one array."""

    KEEP = "keep"
    START = "start"
    MAKE = "make"
    REFUSE = "refuse"


@dataclass(frozen=True)
class MemberFacts:
    """Facts about a member device.

    Attributes:
        device: its path in the config.
        node: its kernel node; "" for an array of this config that does not exist yet.
        found: types of all signatures on it.
        superblock: its RAID superblock, or None.
        holders: kernel nodes of the devices that are built on it.
        in_use: how it is in use, or None.
    """

    device: str
    node: str = ""
    found: tuple[str, ...] = ()
    superblock: mdadm.Superblock | None = None
    holders: tuple[str, ...] = ()
    in_use: DeviceUse | None = None


@dataclass(frozen=True)
class ArrayFacts:
    """Facts about an array.

    Attributes:
        members: the members in config order.
        node: the kernel node of its device path; "" if the path does not exist.
        is_active: whether that node is a running array.
    """

    members: tuple[MemberFacts, ...]
    node: str = ""
    is_active: bool = False

    @property
    def runs(self) -> bool:
        """Whether the running array consists of exactly these members."""
        return self.is_active and all(member.holders == (self.node,) for member in self.members)


def decide(*, matches: bool, runs: bool, in_use: bool, name_is_taken: bool) -> Do:
    """Decide what is done for one array. Signatures on unused members are no reason to refuse.

    Args:
        matches: whether all superblocks match the config.
        runs: whether the matching array runs under its name.
        in_use: whether a member is in use, by this array or otherwise.
        name_is_taken: whether the array's device path exists.
    """
    if matches and runs:
        return Do.KEEP
    if in_use or name_is_taken:
        return Do.REFUSE
    return Do.START if matches else Do.MAKE


def differences(wanted: Raid, members: Sequence[MemberFacts]) -> Iterator[str]:
    """Yield each mismatch between the superblocks of the members and the config."""
    superblocks = [member.superblock for member in members if member.superblock]
    if missing := [member.device for member in members if not member.superblock]:
        yield f"{', '.join(missing)} is not a RAID member"
    if len({superblock.uuid for superblock in superblocks}) > 1:
        yield "the members belong to different arrays"
    # One superblock suffices, since all members belong to one array.
    for superblock in superblocks[:1]:
        yield from _unlike(wanted, superblock)


def _unlike(wanted: Raid, found: mdadm.Superblock) -> Iterator[str]:
    level = mdadm.LEVELS.get(wanted.level or "", wanted.level)
    if found.level != level:
        yield f"level is {found.level}, want {level}"
    count = len(wanted.devices) - (wanted.spares or 0)
    if found.devices != count:
        yield f"it has {found.devices} active devices, want {count}"
    if found.name != mdadm.recorded_name(wanted.name):
        yield f'name is "{found.name}", want "{mdadm.recorded_name(wanted.name)}"'


@dataclass(frozen=True)
class MakeArray:
    """Create or assemble an array, and wait until its device path exists.

    Attributes:
        is_there: whether it exists and is only assembled.
        replaces: signatures that are lost on members, for the log.
    """

    path: ConfigPath
    array: Raid
    is_there: bool = False
    replaces: tuple[str, ...] = ()

    def describe(self) -> str:
        over = f", replacing {', '.join(self.replaces)}" if self.replaces else ""
        return self._command(self.array.devices).why + over

    def perform(self, host: Host) -> None:
        """Run mdadm with the members locked, because udev would assemble the array by itself."""
        command = self._command([host.devices.alias(device) for device in self.array.devices])
        try:
            with host.devices.locked([host.devices.resolve(device) for device in self.array.devices]):
                host.run(command)
        except CommandFailed as error:
            if module := _missing_module(host, self.array):
                hint = f"add the kernel module {module} to the initramfs"
                raise IgnitionError(
                    f"the kernel lacks support for this RAID level: {error}", hint=hint
                ) from error
            raise
        host.devices.wait({mdadm.device_of(self.array.name): self.path})

    def _command(self, members: Sequence[str]) -> Command:
        array = self.array
        if self.is_there:
            return mdadm.assemble(array.name, members, shown_as=array.devices)
        return mdadm.create(
            array.name,
            array.level or "",
            members,
            spares=array.spares or 0,
            options=array.options,
            shown_as=array.devices,
        )


def _missing_module(host: View, array: Raid) -> str:
    """Return the missing kernel module for the array's level, or ""."""
    known = kernel.raid_levels(host.system)
    if known is None:
        return "md_mod"
    level = mdadm.LEVELS.get(array.level or "", array.level or "")
    return "" if level in known else module_of(level)


class Arrays:
    """The step for the arrays of one rank: those of rank 0 have no arrays as members.

    Each rank is a step of its own, because signatures on an array are readable only when it runs. Each step
    decides for all arrays, so that refusals come before the first write.
    """

    name = "raid"

    def __init__(self, rank: int = 0) -> None:
        self._rank = rank

    def wanted(self, config: Config) -> bool:
        return len(ranks(config.storage.raid)) > self._rank

    def observe(self, config: Config, host: View, state: State) -> tuple[ArrayFacts, ...]:  # noqa: ARG002
        """Wait for the members, read their signatures, and look up the arrays' device paths."""
        arrays = config.storage.raid
        own = {mdadm.device_of(array.name) for array in arrays}
        nodes = {path: blocks.resolve(host.system, path) for path in own if blocks.exists(host.system, path)}
        members = {
            device: (*PATH, index, "devices", number)
            for index, array in enumerate(arrays)
            for number, device in enumerate(array.devices)
            # Missing arrays of this config will be created.
            if device not in own or device in nodes
        }
        host.devices.wait(members)
        seen = _look(host, members)
        return tuple(
            ArrayFacts(
                members=tuple(seen.get(device, MemberFacts(device)) for device in array.devices),
                node=(node := nodes.get(mdadm.device_of(array.name), "")),
                is_active=bool(node) and blocks.is_active_array(host.system, node),
            )
            for array in arrays
        )

    def plan(self, config: Config, facts: tuple[ArrayFacts, ...]) -> Plan:
        """Decide for each array; one refusal refuses all arrays."""
        decisions = [_Decision(array, index, facts[index]) for index, array in enumerate(config.storage.raid)]
        due = [decisions[index] for index in ranks(config.storage.raid)[self._rank]]
        keeps = tuple(each.kept() for each in due if each.do is Do.KEEP)
        refused = (
            *(refusal for each in decisions for refusal in each.refusals()),
            *_unseen(due, decisions),
            *device_conflicts.named_twice(named for each in decisions for named in each.named()),
        )
        if refused:
            return Plan(refusals=refused, keeps=keeps)
        made = [each for each in due if each.do is not Do.KEEP]
        return Plan(
            actions=tuple(_actions(made)),
            keeps=keeps,
            creates=frozenset(each.device for each in made),
        )


# Facts.


def _look(host: View, devices: Iterable[str]) -> Mapping[str, MemberFacts]:
    nodes = {device: host.devices.resolve(device) for device in devices}
    if not nodes:
        return {}
    listed = signatures.listed(host, tuple(dict.fromkeys(nodes.values())))
    use = DevicesInUse.read(host.system)
    return {
        device: MemberFacts(
            device,
            node,
            found=(found := tuple(dict.fromkeys(each.format for each in listed[node]))),
            superblock=_superblock(host, node) if signatures.MEMBER in found else None,
            holders=tuple(blocks.holders(host.system, node)),
            in_use=use.of_any(node),
        )
        for device, node in nodes.items()
    }


def _superblock(host: View, node: str) -> mdadm.Superblock | None:
    return mdadm.parse(host.run(mdadm.examine(node)), node)


# Decisions and actions.


@dataclass(frozen=True)
class _Decision:
    wanted: Raid
    index: int
    facts: ArrayFacts

    @property
    def path(self) -> ConfigPath:
        return (*PATH, self.index)

    @property
    def device(self) -> str:
        return mdadm.device_of(self.wanted.name)

    @property
    def do(self) -> Do:
        return decide(
            matches=not any(differences(self.wanted, self.facts.members)),
            runs=self.facts.runs,
            in_use=any(member.in_use for member in self.facts.members),
            name_is_taken=bool(self.facts.node),
        )

    def refusals(self) -> Iterator[Refusal]:
        if self.do is not Do.REFUSE:
            return
        unlike = "; ".join(differences(self.wanted, self.facts.members))
        for number, member in enumerate(self.facts.members):
            if member.in_use:
                theirs = f" (existing array: {unlike})" if member.superblock and unlike else ""
                use = f"in use ({member.in_use.describe()})"
                reason = f"cannot use {member.device} in RAID array {self.wanted.name}: {use}"
                yield Refusal((*self.path, "devices", number), reason + theirs, member.in_use.hint())
        if self.facts.node:
            reason = f"{self.device} exists and does not match the config"
            yield Refusal((*self.path, "name"), f"{reason}: {unlike}" if unlike else reason, FREE_NAME)

    def named(self) -> Iterator[device_conflicts.Named]:
        for number, member in enumerate(self.facts.members):
            yield (*self.path, "devices", number), member.device, member.node or member.device

    def kept(self) -> str:
        return f"keeping RAID array {self.device}"

    def make(self) -> MakeArray:
        is_there = self.do is Do.START
        over = [f"{', '.join(each.found)} on {each.device}" for each in self.facts.members if each.found]
        return MakeArray(self.path, self.wanted, is_there, () if is_there else tuple(over))


def _actions(made: Sequence[_Decision]) -> Iterator[Action]:
    names = ", ".join(each.wanted.name for each in made)
    return in_parallel(PATH, f"creating RAID arrays {names}", (each.make() for each in made))


def _unseen(due: Sequence[_Decision], all_of_them: Sequence[_Decision]) -> Iterator[Refusal]:
    """Refuse arrays on a stopped array, whose contents are unknown; this happens in previews only."""
    stopped = {each.device for each in all_of_them if each.do is Do.START}
    for decision in due:
        for number, device in enumerate(decision.wanted.devices):
            if device in stopped:
                reason = f"{device} exists but does not run, so its contents are unknown"
                hint = f"start it with `mdadm --assemble {device}`"
                yield Refusal((*decision.path, "devices", number), reason, hint)
