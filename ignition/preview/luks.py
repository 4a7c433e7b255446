# SPDX-License-Identifier: Apache-2.0
"""The adapter of the step that creates and opens LUKS volumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ignition.boot.state import State
from ignition.preview.adapter import Adapter
from ignition.preview.effects import Does, Effect, flat, open_question
from ignition.preview.host import PreviewHost
from ignition.preview.narrow import names_of
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Plan
from ignition.stages.disks.luks import cex, clevis
from ignition.stages.disks.luks.actions import CloseVolume, MakeVolume, OpenVolume, ResumeVolume
from ignition.stages.disks.udev import RunLocked
from ignition.tools import cryptsetup
from ignition.url import dataurl

__all__ = ["Volumes"]

GENERATED: Final = b"generated"
"""Placeholder for a key that will be generated."""


class Volumes(Adapter):
    """Each LUKS volume, and the contents of its device."""

    handles_refusals = True

    def effects(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for action in flat(plan.actions):
            match action:
                case RunLocked():
                    yield Effect(action.path, Does.DESTROY, action.describe(), devices=action.nodes)
                case CloseVolume():
                    what = f"contents of the open LUKS volume {action.volume.name}"
                    yield Effect(action.path, Does.DESTROY, what, "it is closed and created again")
                case MakeVolume():
                    what, where = _volume(action)
                    detail = f"{where}, unlocked by {_unlocked_by(action.volume)}"
                    yield Effect(action.path, Does.CREATE, what, detail)
                case OpenVolume():
                    what, where = _volume(action)
                    is_open = "already open" if action.is_open else "it is opened"
                    yield Effect(action.path, Does.KEEP, what, f"{where}; {is_open}")
                case ResumeVolume():
                    what, where = _volume(action)
                    detail = (
                        f"{where}, unlocked by {_unlocked_by(action.volume)}; created earlier in this boot"
                    )
                    yield Effect(action.path, Does.KEEP, what, detail)

    def predict(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> State:
        """Predict new volumes, which are empty; the contents of volumes that are not open are uncertain.

        Returns:
            The keys that the stage persists.
        """
        if plan.refusals:
            for index, volume in enumerate(config.storage.luks):
                host.devices.predict_uncertain(names_of(volume), open_question(("storage", "luks", index)))
        left = State()
        for action in flat(plan.actions):
            match action:
                case MakeVolume():
                    host.devices.predict_device(host.devices.resolve(action.volume.device or ""))
                    left += _keys(action.volume, action.key)
                case OpenVolume() | ResumeVolume():
                    if not action.is_open:
                        device = cryptsetup.device_of(action.volume.name)
                        why = f"{device} is not open, its contents are unknown"
                        host.devices.predict_uncertain([device], why)
                    left += _keys(action.volume, action.key)
        return left


def _volume(action: MakeVolume | OpenVolume | ResumeVolume) -> tuple[str, str]:
    return f"LUKS volume {action.volume.name}", f"on {action.volume.device}"


def _unlocked_by(volume: Luks) -> str:
    if volume.clevis.present:
        return clevis.unlocked_by(volume.clevis)
    if volume.cex.enabled:
        return "a crypto card"
    return "the key of the config" if volume.key_file.source else "a generated key"


def _keys(volume: Luks, key: bytes | None) -> State:
    files = cex.key_files(volume) if volume.cex.enabled else ()
    return State(
        luks_keys={volume.name: dataurl.encode(key or GENERATED)},
        luks_volume_keys=dict.fromkeys(files, dataurl.encode(GENERATED)),
    )
