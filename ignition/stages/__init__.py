# SPDX-License-Identifier: Apache-2.0
"""Stages, steps, plans and actions: observe, plan, apply.

A stage is a list of steps. A step reads the machine (`observe`), decides in a pure
function (`plan`), and `apply` carries out the plan; nothing else writes. A step decides
everything before its first write. A plan with refusals is not carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from ignition import log, runcontext
from ignition.boot import record
from ignition.boot.state import State, StateStore
from ignition.configpath import ConfigPath
from ignition.errors import ActionFailed, IgnitionError, Refusal, Refused, text_of
from ignition.host import Host, View
from ignition.lazy import load
from ignition.schemas.config import Config

__all__ = [
    "STAGES",
    "Action",
    "LazyStep",
    "Plan",
    "Refusal",
    "Stage",
    "Step",
    "act",
    "apply",
    "perform",
    "persist",
    "persisting",
]

F = TypeVar("F")


class Action(Protocol):
    """One change of the machine, as a frozen value.

    Each action checks its own precondition, so that a second run after a crash
    does only what is left.
    """

    @property
    def path(self) -> ConfigPath:
        """The place in the config that asks for the action."""

    def describe(self) -> str:
        """Return one line without secrets: "creating ext4 on /dev/vdb1"."""

    def perform(self, host: Host) -> None:
        """Do it. What later stages must know goes to `persist`."""


@dataclass(frozen=True)
class Plan:
    """What a step will do, or why it will not.

    Attributes:
        actions: in the order in which they are performed.
        refusals: if there are any, nothing is performed.
        keeps: what is already as the config says; one line each, for the log.
        creates: device paths that exist after the plan was carried out.
        decisions: the step's decisions on objects of the config, also of a refused plan; for previews. Their
            type depends on the step; empty where the actions contain all.
    """

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    keeps: tuple[str, ...] = ()
    creates: frozenset[str] = field(default_factory=frozenset)
    decisions: tuple[Any, ...] = ()


class Step(Protocol[F]):
    """One decision of a stage; F is what it has to know of the machine."""

    @property
    def name(self) -> str: ...

    def wanted(self, config: Config) -> bool:
        """Whether the config gives this step anything to do; if not, nothing is touched."""

    def observe(self, config: Config, host: View, state: State) -> F:
        """What the decision rests on. Reads only; asking programs is reading."""

    def plan(self, config: Config, facts: F) -> Plan:
        """The decision, a pure function."""


@dataclass(frozen=True)
class LazyStep:
    """A step whose module is imported when a config has work for it.

    Few machines have RAID arrays or LUKS volumes, and on a slow machine an import takes a tenth of a second.

    Attributes:
        has_work: whether a config has any object for the step.
        place: the step's class as `"module:Class"`.
        arguments: arguments of the class.
    """

    name: str
    has_work: Callable[[Config], object]
    place: str
    arguments: tuple[int, ...] = ()

    @property
    def step(self) -> Step[Any]:
        """The step, imported."""
        found: Step[Any] = load(self.place)(*self.arguments)
        return found

    def wanted(self, config: Config) -> bool:
        return bool(self.has_work(config)) and self.step.wanted(config)

    def observe(self, config: Config, host: View, state: State) -> Any:
        return self.step.observe(config, host, state)

    def plan(self, config: Config, facts: Any) -> Plan:
        return self.step.plan(config, facts)


@dataclass(frozen=True)
class Stage:
    """A stage: its name, which is also its unit's, and where its steps are.

    Attributes:
        name: the word of `--stage` and of `ignition-<name>.service`.
        module: the module whose `STEPS` are the stage's steps; imported on use,
            so that a stage costs the start of no other.
        wanted: whether a config gives the stage anything to do. It is asked
            when the config is fetched, for all stages, and so stands here.
        fetches: the part of the config whose resources it fetches; None if it fetches nothing.
        clears_keys: whether the keys that earlier stages left end with it.
    """

    name: str
    module: str
    wanted: Callable[[Config], bool]
    fetches: ConfigPath | None = None
    clears_keys: bool = False

    def needs(self, resource: ConfigPath) -> bool:
        """Whether it fetches the resource at this place of the config."""
        return self.fetches is not None and resource[: len(self.fetches)] == self.fetches

    def steps(self) -> tuple[Step[Any], ...]:
        """The steps in their order."""
        found: tuple[Step[Any], ...] = load(f"{self.module}:STEPS")
        return found


def _arguments(config: Config) -> bool:
    return config.kernel_arguments.present


def _storage(config: Config) -> bool:
    return config.storage.has_devices


def _mounts(config: Config) -> bool:
    return any(filesystem.is_mounted for filesystem in config.storage.filesystems)


def _always(config: Config) -> bool:  # noqa: ARG001  the files stage leaves its result on every machine
    return True


STAGES: Final = (
    Stage("kargs", "ignition.stages.kargs", _arguments),
    Stage("disks", "ignition.stages.disks", _storage, fetches=("storage", "luks")),
    Stage("mount", "ignition.stages.mount", _mounts),
    Stage("files", "ignition.stages.files", _always, fetches=("storage", "files"), clears_keys=True),
    Stage("umount", "ignition.stages.umount", _mounts),
)
"""The stages that act on a machine, in their order."""


def persist(state: State) -> None:
    """Hand state on to later stages, and to another try of this one, whatever happens next.

    An action calls it with what must be known before it acts (a generated key, before a volume exists
    that nothing else opens) and with what it did. Several threads may call it at once.
    """
    take = runcontext.current().persist
    if take is not None:
        take(state)


def persisting(take: Callable[[State], None]) -> AbstractContextManager[None]:
    """Hand the state that actions persist inside the block to `take`, each piece at once."""
    return runcontext.entered(runcontext.current()._replace(persist=take))


def perform(
    stage: Stage, config: Config, host: Host, store: StateStore, *, leaving_out: Container[str] = ()
) -> None:
    """Run the steps of a stage, except those named in `leaving_out`.

    What actions hand on is in `store` at once, also when a later action fails.

    Raises:
        Refused: the plan of a step has refusals; that step wrote nothing.
        ActionFailed: an action failed; the actions and steps after it were not begun.
    """
    with persisting(store.persist):
        for step in stage.steps():
            if step.name not in leaving_out and step.wanted(config):
                with log.prefix(step.name), record.step(step.name):
                    apply(step.plan(config, step.observe(config, host, store.state)), host)


def apply(plan: Plan, host: Host) -> None:
    """Carry out a plan, or refuse it as a whole.

    Raises:
        Refused: the plan has refusals; nothing was written.
        ActionFailed: an action failed; the actions after it were not begun.
    """
    if plan.refusals:
        raise Refused(plan.refusals)
    for line in plan.keeps:
        log.info(line)
    for action in plan.actions:
        act(action, host)


def act(action: Action, host: Host) -> None:
    """Perform one action inside a log operation and a record entry.

    Raises:
        ActionFailed: the action failed; has the place in the config and the cause.
    """
    try:
        with record.entry(action), log.step(action.describe()):
            action.perform(host)
    except ActionFailed:
        raise
    except (IgnitionError, OSError) as error:
        failure = ActionFailed(
            action.describe(),
            text_of(error),
            path=(error.path if isinstance(error, IgnitionError) else None) or action.path,
            hint=error.hint if isinstance(error, IgnitionError) else "",
        )
        log.mark_logged(failure)
        raise failure from error
