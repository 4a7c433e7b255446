"""What the actions of a plan mean for the objects of the config, and what later steps will find.

For steps that do not tell themselves (`ignition.stages.effects.Foretells`): their plans say enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ignition import dataurl, distro
from ignition.preview.host import PreviewHost
from ignition.stages import Action, Plan
from ignition.stages.actions import RunCommand
from ignition.stages.disks.luks import MAPPED, MakeVolume, OpenVolume
from ignition.stages.disks.raid import MakeArray
from ignition.stages.disks.settle import Settle
from ignition.stages.effects import Does, Effect
from ignition.stages.files.crypttab import TABLE, WriteCrypttab, WriteKey
from ignition.state import State
from ignition.tools import mdadm

__all__ = ["effects", "foresee"]

GENERATED: bytes = b"generated"
"""Stands for a key that is still to be made."""


def effects(plan: Plan) -> Iterator[Effect]:
    """What becomes of the objects that a plan is about."""
    for line in plan.keeps:
        yield Effect((), Does.KEEP, line)
    for action in _flat(plan.actions):
        if not isinstance(action, Settle):
            yield _effect(action)


def _effect(action: Action) -> Effect:
    match action:
        case MakeArray():
            what = f"array {action.array.name}"
            members = f"of {', '.join(action.array.devices)}"
            if action.is_there:
                return Effect(action.path, Does.KEEP, what, f"{members}; it is started")
            detail = f"{action.array.level}, {members}"
            does = Does.DESTROY if action.replaces else Does.CREATE
            return Effect(action.path, does, what, detail, lost=action.replaces)
        case MakeVolume():
            what = f"encrypted volume {action.volume.name}"
            return Effect(action.path, Does.CREATE, what, f"on {action.volume.device}")
        case OpenVolume():
            what = f"encrypted volume {action.volume.name}"
            is_open = "it is open" if action.is_open else "it is opened"
            return Effect(action.path, Does.KEEP, what, f"on {action.volume.device}; {is_open}")
        case RunCommand() if action.command.program == "wipefs":
            nodes = tuple(str(word) for word in action.command.argv if str(word).startswith("/dev/"))
            return Effect(action.path, Does.DESTROY, action.describe(), devices=nodes)
        case WriteKey():
            what = f"key of the encrypted volume {action.name} in {distro.LUKS_KEY_DIRECTORY}"
            return Effect(action.path, Does.CREATE, what)
        case WriteCrypttab():
            return Effect(action.path, Does.CHANGE, f"lines in {TABLE}")
        case _:
            return Effect(action.path, Does.CHANGE, action.describe())


def foresee(plan: Plan, host: PreviewHost) -> State:
    """Tell the preview's host what the plan leaves, and return what it leaves for later stages."""
    left = State()
    for action in _flat(plan.actions):
        match action:
            case MakeArray(is_there=True):
                device = mdadm.device_of(action.array.name)
                host.devices.may_make([device], f"{device} does not run, so what is on it cannot be seen")
            case MakeVolume():
                host.devices.will_make(host.devices.resolve(action.volume.device or ""))
                left += _key(action.volume.name, action.key or GENERATED)
            case OpenVolume():
                if not action.is_open:
                    device = f"{MAPPED}/{action.volume.name}"
                    host.devices.may_make([device], f"{device} is not open, so what is on it cannot be seen")
                left += _key(action.volume.name, action.key)
            case _:
                continue
    for device in plan.creates:
        if not (host.devices.is_new(device) or host.devices.is_uncertain(device)):
            host.devices.will_make(device)
    return left


def _key(name: str, key: bytes) -> State:
    return State(luks_keys={name: dataurl.encode(key)})


def _flat(actions: Iterable[Action]) -> Iterator[Action]:
    for action in actions:
        inner = getattr(action, "actions", None)
        if inner is None:
            yield action
        else:
            yield from _flat(inner)
