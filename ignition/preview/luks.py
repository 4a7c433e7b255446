"""What the disks stage will have done to encrypted volumes, and what is lost by it. For previews."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ignition import dataurl
from ignition.boot.state import State
from ignition.preview.effects import Does, Effect, flat, open_question
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Plan
from ignition.stages.disks.locked import RunLocked
from ignition.stages.disks.luks import cex, clevis
from ignition.stages.disks.luks.actions import CloseVolume, MakeVolume, OpenVolume, ResumeVolume
from ignition.tools import cryptsetup

if TYPE_CHECKING:
    from ignition.preview.host import PreviewHost

__all__ = ["effects", "foresee", "names_of"]

GENERATED: Final = b"generated"
"""Stands for a key that is still to be made."""


def effects(plan: Plan) -> Iterator[Effect]:
    """What becomes of each volume, and of what is in its place."""
    for action in flat(plan.actions):
        match action:
            case RunLocked():
                yield Effect(action.path, Does.DESTROY, action.describe(), devices=action.nodes)
            case CloseVolume():
                what = f"what is in the open encrypted volume {action.volume.name}"
                yield Effect(action.path, Does.DESTROY, what, "it is closed and made anew")
            case MakeVolume():
                what, where = _volume(action)
                yield Effect(action.path, Does.CREATE, what, f"{where}, unlocked by {_means(action.volume)}")
            case OpenVolume():
                what, where = _volume(action)
                is_open = "it is open" if action.is_open else "it is opened"
                yield Effect(action.path, Does.KEEP, what, f"{where}; {is_open}")
            case ResumeVolume():
                what, where = _volume(action)
                detail = f"{where}, unlocked by {_means(action.volume)}; an earlier try of this boot made it"
                yield Effect(action.path, Does.KEEP, what, detail)


def _volume(action: MakeVolume | OpenVolume | ResumeVolume) -> tuple[str, str]:
    return f"encrypted volume {action.volume.name}", f"on {action.volume.device}"


def _means(volume: Luks) -> str:
    """What unlocks the volume in the end."""
    if volume.clevis.present:
        return clevis.unlocked_by(volume.clevis)
    if volume.cex.enabled:
        return "a crypto card"
    return "the key of the config" if volume.key_file.source else "a key that is generated"


def foresee(config: Config, plan: Plan, host: PreviewHost) -> State:
    """New volumes are there and empty; what is in those that a preview does not open, nobody can tell.

    Returns:
        The keys that the stage will leave.
    """
    if plan.refusals:
        for index, volume in enumerate(config.storage.luks):
            host.devices.may_make(names_of(volume), open_question(("storage", "luks", index)))
    left = State()
    for action in flat(plan.actions):
        match action:
            case MakeVolume():
                host.devices.will_make(host.devices.resolve(action.volume.device or ""))
                left += _keys(action.volume, action.key)
            case OpenVolume() | ResumeVolume():
                if not action.is_open:
                    device = cryptsetup.device_of(action.volume.name)
                    host.devices.may_make([device], f"{device} is not open, so what is on it cannot be seen")
                left += _keys(action.volume, action.key)
    return left


def names_of(volume: Luks) -> tuple[str, str]:
    """The paths by which the open volume will be known."""
    return cryptsetup.device_of(volume.name), f"/dev/disk/by-id/dm-name-{volume.name}"


def _keys(volume: Luks, key: bytes | None) -> State:
    files = cex.key_files(volume) if volume.cex.enabled else ()
    return State(
        luks_keys={volume.name: dataurl.encode(key or GENERATED)},
        luks_volume_keys=dict.fromkeys(files, dataurl.encode(GENERATED)),
    )
