"""What the actions of a plan mean for the objects of the config.

For steps that do not tell themselves (`ignition.preview.effects.Foretells`): their plans say enough.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ignition.preview.effects import Does, Effect, flat
from ignition.stages import Plan
from ignition.stages.files.crypttab import TABLE, WriteCrypttab, WriteKey

__all__ = ["effects"]


def effects(plan: Plan) -> Iterator[Effect]:
    """What becomes of the objects that a plan is about."""
    for line in plan.keeps:
        yield Effect((), Does.KEEP, line)
    for action in flat(plan.actions):
        match action:
            case WriteKey():
                what = f"key of the encrypted volume {action.name} in {posixpath.dirname(action.file)}"
                yield Effect(action.path, Does.CREATE, what)
            case WriteCrypttab():
                yield Effect(action.path, Does.CHANGE, f"lines in {TABLE}")
            case _:
                yield Effect(action.path, Does.CHANGE, action.describe())
