"""What provisioning would do to this machine, object by object, before the first write.

All stages are gone through as on a first boot, but only looking and deciding: the same `observe` and
`plan` as there, on a host that changes nothing (`host`). What one step will have made, the next one
finds there. Where something cannot be foreseen, that is said of the object, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host.command import CommandFailed
from ignition.preview import actions
from ignition.preview.effects import Does, Effect, Foresees, Foretells, open_question
from ignition.preview.host import MissingDevice, PreviewHost, preview_host
from ignition.preview.narrow import Narrowed, brings, objects, only, without
from ignition.preview.tree import Unseen
from ignition.schemas.config import Config
from ignition.stages import STAGES, Step
from ignition.tools import wipefs

__all__ = ["Absent", "Does", "Effect", "Outlook", "outlook", "preview_host"]

Trouble = IgnitionError | OSError | Unseen
TROUBLES: Final = (IgnitionError, OSError, Unseen)


@dataclass(frozen=True)
class Absent(Refusal):
    """A device that the config names is not there."""


@dataclass(frozen=True)
class Outlook:
    """What one stage would do.

    Attributes:
        stage: its name.
        effects: on each object, in the order of the steps.
        conflicts: why the stage would be refused; all reasons.
    """

    stage: str
    effects: tuple[Effect, ...] = ()
    conflicts: tuple[Refusal, ...] = ()


def outlook(config: Config, host: PreviewHost, state: State) -> Iterator[Outlook]:
    """Go through all stages; one outlook for each that would do anything."""
    walk = _Walk(host, state)
    for stage in STAGES:
        found = dict.fromkeys(
            each for step in stage.steps() if step.wanted(config) for each in walk.through(step, config)
        )
        effects = tuple(each for each in found if isinstance(each, Effect))
        conflicts = tuple(each for each in found if isinstance(each, Refusal))
        if effects or conflicts:
            yield Outlook(stage.name, effects, conflicts)


@dataclass
class _Walk:
    """The way through all steps: the machine as it will be, and what stages will have left."""

    host: PreviewHost
    state: State

    def through(self, step: Step[Any], config: Config) -> Iterator[Effect | Refusal]:
        """What a step would do; what it leaves open is open for later steps."""
        for each in self._looked(step, config):
            yield each
            if isinstance(each, Refusal) or each.does is Does.UNKNOWN:
                self._leave_open(config, each.path)

    def _leave_open(self, config: Config, path: ConfigPath) -> None:
        self.host.devices.may_make(brings(config, path), open_question(path))

    def _looked(self, step: Step[Any], config: Config) -> Iterator[Effect | Refusal]:
        """Objects that keep the step from looking are left out, and named."""
        narrowed = Narrowed(config)
        try:
            try:
                facts = step.observe(config, self.host, self.state)
            except TROUBLES:
                troubles = self._troubles(step, config)
                yield from (_told(path, what, error) for (path, what), error in troubles.items())
                narrowed = without(config, {path for path, _ in troubles})
                if not step.wanted(narrowed.config):
                    return
                facts = step.observe(narrowed.config, self.host, self.state)
            for each in self._decided(step, narrowed.config, facts):
                yield replace(each, path=narrowed.original(each.path))
        except TROUBLES as error:
            yield Effect((), Does.UNKNOWN, f"whatever else concerns {step.name}", str(error))

    def _troubles(self, step: Step[Any], config: Config) -> dict[tuple[ConfigPath, str], Trouble]:
        """The objects at which the step cannot look, and why; none if it is about no objects."""
        found: dict[tuple[ConfigPath, str], Trouble] = {}
        if step.wanted(only(config, ()).config):
            return found
        for path, what in objects(config):
            alone = only(config, path).config
            if step.wanted(alone):
                try:
                    step.observe(alone, self.host, self.state)
                except TROUBLES as error:
                    found[path, what] = error
        return found

    def _decided(self, step: Step[Any], config: Config, facts: Any) -> Iterator[Effect | Refusal]:
        host, plan = self.host, step.plan(config, facts)
        yield from plan.refusals
        told = step.effects(config, facts, host) if isinstance(step, Foretells) else actions.effects(plan)
        for each in told:
            yield (
                replace(each, lost=(*each.lost, *_contents(each, host))) if isinstance(each, Effect) else each
            )
        if isinstance(step, Foresees):
            self.state += step.foresee(config, facts, host) or State()
        elif plan.refusals:
            for path, _ in objects(config):
                if step.wanted(only(config, path).config):
                    self._leave_open(config, path)
        for device in plan.creates:
            if not (host.devices.is_new(device) or host.devices.is_uncertain(device)):
                host.devices.will_make(device)


def _told(path: ConfigPath, what: str, error: Trouble) -> Effect | Refusal:
    if isinstance(error, MissingDevice):
        return Absent(path, str(error), error.hint)
    return Effect(path, Does.UNKNOWN, what, str(error))


def _contents(effect: Effect, host: PreviewHost) -> Iterator[str]:
    """What lies on the devices whose contents are lost."""
    if not effect.devices:
        return
    try:
        signatures = wipefs.parse(host.run(wipefs.show(effect.devices)).stdout, effect.devices)
    except CommandFailed as error:
        yield f"what is on {', '.join(effect.devices)}, which cannot be read: {error}"
        return
    for device, found in signatures.items():
        for each in found:
            label = f' "{each.label}"' if each.label else ""
            yield f"on {device}: {'a partition table of type ' if each.is_table else ''}{each.format}{label}"
