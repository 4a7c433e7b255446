# SPDX-License-Identifier: Apache-2.0
"""Previews: the effects of provisioning on this machine, object by object, without changing it.

A preview runs `observe` and `plan` of all steps on a read-only view of the machine (`host`). Each step has an
adapter (`registry`), which derives effects from the plan and predicts the machine for the next step. If
something cannot be predicted, the effect of that object is unknown and the preview continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, Refusal
from ignition.host.command import CommandFailed
from ignition.preview.adapter import Adapter
from ignition.preview.devices import MissingDevice
from ignition.preview.effects import Does, Effect, open_question
from ignition.preview.host import PreviewHost, preview_host
from ignition.preview.narrow import Narrowed, brings, objects, only, without
from ignition.preview.registry import adapter_for
from ignition.preview.tree import Unseen
from ignition.schemas.config import Config
from ignition.stages import STAGES, Step
from ignition.tools import wipefs

__all__ = ["DeviceAbsent", "Does", "Effect", "StagePreview", "preview", "preview_host"]

Trouble = IgnitionError | OSError | Unseen
TROUBLES: Final = (IgnitionError, OSError, Unseen)


@dataclass(frozen=True)
class DeviceAbsent(Refusal):
    """A device of the config does not exist."""


@dataclass(frozen=True)
class StagePreview:
    """The preview of one stage.

    Attributes:
        stage: its name.
        effects: the effects, in the order of the steps.
        conflicts: all reasons for which the stage would be refused.
    """

    stage: str
    effects: tuple[Effect, ...] = ()
    conflicts: tuple[Refusal, ...] = ()


def preview(config: Config, host: PreviewHost, state: State) -> Iterator[StagePreview]:
    """Yield the preview of each stage that has effects or conflicts."""
    walk = _Walk(host, state)
    for stage in STAGES:
        found = dict.fromkeys(
            each
            for step in stage.steps()
            if step.wanted(config)
            for each in walk.through(step, adapter_for(stage.name, step.name), config)
        )
        effects = tuple(each for each in found if isinstance(each, Effect))
        conflicts = tuple(each for each in found if isinstance(each, Refusal))
        if effects or conflicts:
            yield StagePreview(stage.name, effects, conflicts)


@dataclass
class _Walk:
    """The walk through all steps, with the predicted machine and the state that stages persist."""

    host: PreviewHost
    state: State

    def through(self, step: Step[Any], adapter: Adapter, config: Config) -> Iterator[Effect | Refusal]:
        """Preview one step. What it leaves open is uncertain for later steps."""
        for each in self._observed(step, adapter, config):
            yield each
            if isinstance(each, Refusal) or each.does is Does.UNKNOWN:
                self._leave_open(config, each.path)

    def _leave_open(self, config: Config, path: ConfigPath) -> None:
        self.host.devices.predict_uncertain(brings(config, path), open_question(path))

    def _observed(self, step: Step[Any], adapter: Adapter, config: Config) -> Iterator[Effect | Refusal]:
        """Observe and plan, without the objects that cannot be observed; those are reported."""
        narrowed = Narrowed(config)
        try:
            try:
                facts = step.observe(config, self.host, self.state)
            except TROUBLES:
                troubles = self._troubles(step, config)
                yield from (_reported(path, what, error) for (path, what), error in troubles.items())
                narrowed = without(config, {path for path, _ in troubles})
                if not step.wanted(narrowed.config):
                    return
                facts = step.observe(narrowed.config, self.host, self.state)
            for each in self._planned(step, adapter, narrowed.config, facts):
                yield replace(each, path=narrowed.original(each.path))
        except TROUBLES as error:
            yield Effect((), Does.UNKNOWN, f"other effects of the step {step.name}", str(error))

    def _troubles(self, step: Step[Any], config: Config) -> dict[tuple[ConfigPath, str], Trouble]:
        """Return the objects that the step cannot observe, with the errors."""
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

    def _planned(
        self, step: Step[Any], adapter: Adapter, config: Config, facts: Any
    ) -> Iterator[Effect | Refusal]:
        host, plan = self.host, step.plan(config, facts)
        yield from plan.refusals
        for each in adapter.effects(config, facts, plan, host):
            if isinstance(each, Effect):
                yield replace(each, lost=(*each.lost, *_contents(each, host)))
            else:
                yield each
        self.state += adapter.predict(config, facts, plan, host)
        if plan.refusals and not adapter.handles_refusals:
            for path, _ in objects(config):
                if step.wanted(only(config, path).config):
                    self._leave_open(config, path)
        for device in plan.creates:
            if not (host.devices.is_new(device) or host.devices.is_uncertain(device)):
                host.devices.predict_device(device)


def _reported(path: ConfigPath, what: str, error: Trouble) -> Effect | Refusal:
    if isinstance(error, MissingDevice):
        return DeviceAbsent(path, str(error), error.hint)
    return Effect(path, Does.UNKNOWN, what, str(error))


def _contents(effect: Effect, host: PreviewHost) -> Iterator[str]:
    """Yield the signatures on devices whose contents are lost."""
    if not effect.devices:
        return
    try:
        signatures = wipefs.parse(host.run(wipefs.show(effect.devices)).stdout, effect.devices)
    except CommandFailed as error:
        yield f"unknown contents of {', '.join(effect.devices)}: {error}"
        return
    for device, found in signatures.items():
        for each in found:
            label = f' "{each.label}"' if each.label else ""
            yield f"on {device}: {'partition table ' if each.is_table else ''}{each.format}{label}"
