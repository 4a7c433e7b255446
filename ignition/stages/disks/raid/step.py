"""The step that makes RAID arrays, or keeps those that are as the config says.

One call of wipefs lists what is on all members; only those that belong to some array are looked at
more closely, so on a fresh machine that call is all. Arrays that do not stand on each other are made
side by side; those whose members are arrays come after these.

The reference makes every array anew in every run (engine.md 14, point 12), which throws data away, or
fails because the members are in use. Here an array of the same name, level and members is kept, and is
not synchronised again. Rules: engine.md 9.3.2.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host import Host, blocks, kernel
from ignition.host.command import Command, CommandFailed
from ignition.host.mounts import Use, remedy
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid
from ignition.stages import Action, Plan
from ignition.stages.actions import in_parallel
from ignition.stages.disks import signatures
from ignition.stages.disks.kernel_modules import module_of
from ignition.stages.disks.preflight import device_conflicts
from ignition.stages.disks.raid.order import ranks
from ignition.tools import mdadm

if TYPE_CHECKING:
    from ignition.preview.effects import Effect
    from ignition.preview.host import PreviewHost

__all__ = ["ArrayFacts", "Arrays", "Do", "MakeArray", "MemberFacts", "decide", "differences", "needs"]

PATH: ConfigPath = ("storage", "raid")

FREE_NAME: Final = "give the array another name, or stop the one that is there with `mdadm --stop`"


def needs(config: Config) -> Iterator[tuple[str, ConfigPath]]:
    """The programs without which it cannot be done, and what needs them."""
    for index in range(len(config.storage.raid)):
        yield from (("wipefs", (*PATH, index)), ("mdadm", (*PATH, index)))


class Do(enum.Enum):
    """What to do about an array of the config."""

    KEEP = "keep"
    START = "start"
    MAKE = "make"
    REFUSE = "refuse"


@dataclass(frozen=True)
class MemberFacts:
    """What has to be known of a member.

    Attributes:
        device: its path in the config.
        node: its kernel node; "" for an array of this config that is not there yet.
        found: types of all signatures on it.
        superblock: what it says of the array that it belongs to.
        holders: kernel nodes of the devices that are built on it.
        in_use: why it is in use, or "".
    """

    device: str
    node: str = ""
    found: tuple[str, ...] = ()
    superblock: mdadm.Superblock | None = None
    holders: tuple[str, ...] = ()
    in_use: str = ""


@dataclass(frozen=True)
class ArrayFacts:
    """What has to be known of an array.

    Attributes:
        members: in config order.
        node: the kernel node that its device path leads to; "" if there is none.
        is_active: whether there is a running array at that node.
    """

    members: tuple[MemberFacts, ...]
    node: str = ""
    is_active: bool = False

    @property
    def runs(self) -> bool:
        """Whether the running array at the array's path is made of these members."""
        return self.is_active and all(member.holders == (self.node,) for member in self.members)


def decide(*, matches: bool, runs: bool, in_use: bool, name_is_taken: bool) -> Do:
    """The decision for one array. What is on members that nobody uses is no reason to refuse.

    Args:
        matches: all members say that they belong to such an array.
        runs: the array that they belong to runs under its name.
        in_use: a member is in use, by the array or by anything else.
        name_is_taken: there is something where the array's device will be.
    """
    if matches and runs:
        return Do.KEEP
    if in_use or name_is_taken:
        return Do.REFUSE
    return Do.START if matches else Do.MAKE


def differences(wanted: Raid, members: Sequence[MemberFacts]) -> Iterator[str]:
    """In what the members do not make up the array of the config."""
    superblocks = [member.superblock for member in members if member.superblock]
    if missing := [member.device for member in members if not member.superblock]:
        yield f"{', '.join(missing)} belongs to no array"
    if len({superblock.uuid for superblock in superblocks}) > 1:
        yield "the members belong to different arrays"
    # One for all, since they belong to the same one.
    for superblock in superblocks[:1]:
        yield from _unlike(wanted, superblock)


def _unlike(wanted: Raid, found: mdadm.Superblock) -> Iterator[str]:
    level = mdadm.LEVELS.get(wanted.level or "", wanted.level)
    if found.level != level:
        yield f"level is {found.level}, not {level}"
    count = len(wanted.devices) - (wanted.spares or 0)
    if found.devices != count:
        yield f"it has {found.devices} devices besides spares, not {count}"
    if found.name != mdadm.recorded_name(wanted.name):
        yield f'name is "{found.name}", not "{mdadm.recorded_name(wanted.name)}"'


@dataclass(frozen=True)
class MakeArray:
    """Make an array, or start one that is there, and wait until udev shows it under its name.

    Attributes:
        is_there: whether it has only to be started.
        replaces: what is on which members, for the log.
    """

    path: ConfigPath
    array: Raid
    is_there: bool = False
    replaces: tuple[str, ...] = ()

    def describe(self) -> str:
        """The array, and what it takes the place of."""
        over = f", over {', '.join(self.replaces)}" if self.replaces else ""
        return self._command(self.array.devices).why + over

    def perform(self, host: Host) -> None:
        """Make or start it; meanwhile udev leaves its members alone, which it would start by itself."""
        command = self._command([host.devices.alias(device) for device in self.array.devices])
        try:
            with host.devices.locked([host.devices.resolve(device) for device in self.array.devices]):
                host.run(command)
        except CommandFailed as error:
            if module := _missing_module(host, self.array):
                hint = f"put the kernel module {module} into the initramfs"
                raise IgnitionError(
                    f"the kernel does not know arrays of this level: {error}", hint=hint
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


def _missing_module(host: Host, array: Raid) -> str:
    """The kernel module without which there is no such array, or ""; the kernel says which it has."""
    known = kernel.raid_levels(host.system)
    if known is None:
        return "md_mod"
    level = mdadm.LEVELS.get(array.level or "", array.level or "")
    return "" if level in known else module_of(level)


class Arrays:
    """The arrays of one rank: those of rank 0 have no other one as a member, those of rank 1 have, and so on.

    A rank of its own is a step of its own, because what is on an array that nothing has started can only be
    seen when it runs. All arrays are judged in each, so that refusals come before the first write.
    """

    name = "raid"

    def __init__(self, rank: int = 0) -> None:
        self._rank = rank

    def wanted(self, config: Config) -> bool:
        """Whether there is any."""
        return len(ranks(config.storage.raid)) > self._rank

    def observe(self, config: Config, host: Host, state: State) -> tuple[ArrayFacts, ...]:  # noqa: ARG002
        """Wait for the members and see what is on them, and what is there under the arrays' names."""
        arrays = config.storage.raid
        own = {mdadm.device_of(array.name) for array in arrays}
        nodes = {path: blocks.resolve(host.system, path) for path in own if blocks.exists(host.system, path)}
        members = {
            device: (*PATH, index, "devices", number)
            for index, array in enumerate(arrays)
            for number, device in enumerate(array.devices)
            # Arrays of this config that are not there will be made.
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
        """Decide for each array; one refusal refuses all."""
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

    def effects(self, config: Config, facts: tuple[ArrayFacts, ...], host: Host) -> Iterator[Effect]:
        """What happens to each array."""
        del host
        from ignition.preview import raid

        return raid.effects(self.plan(config, facts))

    def foresee(self, config: Config, facts: tuple[ArrayFacts, ...], host: PreviewHost) -> None:
        """The arrays that there will be."""
        from ignition.preview import raid

        raid.foresee(config, self.plan(config, facts), host)


# What is there.


def _look(host: Host, devices: Iterable[str]) -> Mapping[str, MemberFacts]:
    nodes = {device: host.devices.resolve(device) for device in devices}
    if not nodes:
        return {}
    listed = signatures.listed(host, tuple(dict.fromkeys(nodes.values())))
    use = Use.now(host.system)
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


def _superblock(host: Host, node: str) -> mdadm.Superblock | None:
    return mdadm.parse(host.run(mdadm.examine(node)), node)


# What is done.


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
                theirs = f" (of the array there: {unlike})" if member.superblock and unlike else ""
                reason = (
                    f"{member.device} would become a member of {self.wanted.name}, and it is {member.in_use}"
                )
                yield Refusal((*self.path, "devices", number), reason + theirs, remedy(member.in_use))
        if self.facts.node:
            reason = f"{self.device} is there already, and is not the array of the config"
            yield Refusal((*self.path, "name"), f"{reason}: {unlike}" if unlike else reason, FREE_NAME)

    def named(self) -> Iterator[device_conflicts.Named]:
        for number, member in enumerate(self.facts.members):
            yield (*self.path, "devices", number), member.device, member.node or member.device

    def kept(self) -> str:
        return f"{self.device} is the array of the config, it is kept"

    def make(self) -> MakeArray:
        is_there = self.do is Do.START
        over = [f"{', '.join(each.found)} on {each.device}" for each in self.facts.members if each.found]
        return MakeArray(self.path, self.wanted, is_there, () if is_there else tuple(over))


def _actions(made: Sequence[_Decision]) -> Iterator[Action]:
    names = ", ".join(each.wanted.name for each in made)
    return in_parallel(PATH, f"making the arrays {names}", (each.make() for each in made))


def _unseen(due: Sequence[_Decision], all_of_them: Sequence[_Decision]) -> Iterator[Refusal]:
    """Arrays on one that has not been started: it would be taken for empty. A preview starts none."""
    stopped = {each.device for each in all_of_them if each.do is Do.START}
    for decision in due:
        for number, device in enumerate(decision.wanted.devices):
            if device in stopped:
                reason = f"{device} is there but does not run, so what is on it cannot be seen"
                hint = f"start it with `mdadm --assemble {device}`"
                yield Refusal((*decision.path, "devices", number), reason, hint)
