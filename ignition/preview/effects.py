# SPDX-License-Identifier: Apache-2.0
"""Effects: what provisioning does to each object of the config, for people and programs."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ignition.configpath import ConfigPath, format_path
from ignition.stages import Action

__all__ = ["Does", "Effect", "flat", "open_question"]


class Does(enum.Enum):
    """What happens to an object."""

    KEEP = "keep"
    CREATE = "create"
    CHANGE = "change"
    DESTROY = "destroy"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Effect:
    """The effect on one object. Contains no secrets.

    Attributes:
        path: the object's path in the config.
        does: the kind of effect.
        what: the object: "partition 1 of /dev/vdb".
        detail: its new state; for an unknown effect, the reason.
        lost: the contents that are lost.
        devices: kernel nodes whose contents are lost too.
    """

    path: ConfigPath
    does: Does
    what: str
    detail: str = ""
    lost: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def open_question(path: ConfigPath) -> str:
    """Return the reason for an unknown effect that depends on another object, which is refused."""
    return f"depends on {format_path(path[:3])}"


def flat(actions: Iterable[Action]) -> Iterator[Action]:
    """Yield the actions of a plan, with the members of groups instead of the groups."""
    for action in actions:
        inner = getattr(action, "actions", None)
        if inner is None:
            yield action
        else:
            yield from flat(inner)
