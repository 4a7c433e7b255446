"""Stages and what they are made of: look, decide, act.

A stage is a list of steps. A step looks at the machine (`observe`, reads only),
decides in a pure function (`plan`), and its plan is carried out by `apply`, the
one place that acts. Within a step everything is decided before anything is
done; a plan with refusals is not carried out at all.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from ignition import log
from ignition.boot import record
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import ActionFailed, IgnitionError, Refusal, Refused
from ignition.host import Host
from ignition.schemas.config import Config

__all__ = [
    "STAGES", "Action", "Keep", "Plan", "Refusal", "Stage", "Step", "act", "apply", "keeping", "leave",
    "perform",
]  # fmt: skip

F = TypeVar("F")

Keep = Callable[[State], None]
"""Takes what an action leaves, as soon as it leaves it; several threads may call it at once."""


class Action(Protocol):
    """One thing to do. Frozen; says what it is before it does it.

    Each action states its own precondition, so that a second run after a crash
    does the rest and no more.
    """

    @property
    def path(self) -> ConfigPath:
        """The part of the config that asks for it."""

    def describe(self) -> str:
        """What it does, in one line, without secrets: "creating ext4 on /dev/vdb1"."""

    def perform(self, host: Host) -> State | None:
        """Do it; returns what later stages must know.

        What must not be lost even if this process is killed half-way is handed to `leave` before.
        """


@dataclass(frozen=True)
class Plan:
    """What a step will do, or why it will not.

    Attributes:
        actions: in the order in which they are performed.
        refusals: if there are any, nothing is performed.
        keeps: what is already as the config says; one line each, for the log.
        creates: device paths that exist after the plan was carried out.
    """

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    keeps: tuple[str, ...] = ()
    creates: frozenset[str] = field(default_factory=frozenset)


class Step(Protocol[F]):
    """One decision of a stage; F is what it has to know of the machine."""

    name: str

    def wanted(self, config: Config) -> bool:
        """Whether the config gives this step anything to do; if not, nothing is touched."""

    def observe(self, config: Config, host: Host, state: State) -> F:
        """What the decision rests on. Reads only; asking programs is reading."""

    def plan(self, config: Config, facts: F) -> Plan:
        """The decision, a pure function."""


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
        found: tuple[Step[Any], ...] = importlib.import_module(self.module).STEPS
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


_keep: ContextVar[Keep | None] = ContextVar("keep", default=None)


@contextmanager
def keeping(keep: Keep) -> Iterator[None]:
    """Hand what actions inside leave to `keep`, each as soon as it has left it."""
    token = _keep.set(keep)
    try:
        yield
    finally:
        _keep.reset(token)


def leave(state: State) -> None:
    """Leave this for later stages, and for another try of this one, whatever becomes of the rest.

    `act` does so with what an action returns. An action calls it itself with what must be known before
    it acts: a generated key, before there is a volume that nothing else opens.
    """
    keep = _keep.get()
    if keep is not None:
        keep(state)


def perform(
    stage: Stage, config: Config, host: Host, state: State, *, leaving_out: Container[str] = ()
) -> State:
    """Run the steps of a stage, but for those named; returns the state with what they left.

    If it fails, what the actions before the failure have left is lost to the caller, unless the call
    is made inside of `keeping`.
    """
    for step in stage.steps():
        if step.name not in leaving_out and step.wanted(config):
            with log.prefix(step.name), record.step(step.name):
                state = state + apply(step.plan(config, step.observe(config, host, state)), host)
    return state


def apply(plan: Plan, host: Host) -> State:
    """Carry a plan out, or refuse it whole.

    Returns:
        What the actions left for later stages.

    Raises:
        Refused: the plan has refusals; nothing was done.
        ActionFailed: an action failed; those after it were not begun.
    """
    if plan.refusals:
        raise Refused(plan.refusals)
    for line in plan.keeps:
        log.info(line)
    left = State()
    for action in plan.actions:
        left = left + act(action, host)
    return left


def act(action: Action, host: Host) -> State:
    """Perform one action inside its log step, and record it; what fails names its place in the config."""
    try:
        with record.doing(action), log.step(action.describe()):
            left = action.perform(host)
            if left is None:
                return State()
            leave(left)
            return left
    except ActionFailed:
        raise
    except (IgnitionError, OSError) as error:
        failure = ActionFailed(
            f"{action.describe()}: {error}",
            path=getattr(error, "path", None) or action.path,
            hint=getattr(error, "hint", ""),
        )
        log.told(failure)
        raise failure from error
