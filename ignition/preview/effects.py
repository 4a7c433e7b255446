"""What a step will have done to each object of the config, for those who want to know before.

Nothing of this is imported on a machine that is being provisioned: steps import their own part of it
inside the methods that a preview calls.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ignition.configpath import format_path

if TYPE_CHECKING:
    from ignition.boot.state import State
    from ignition.configpath import ConfigPath
    from ignition.errors import Refusal
    from ignition.host import Host
    from ignition.preview.host import PreviewHost
    from ignition.schemas.config import Config
    from ignition.stages import Action

__all__ = ["Does", "Effect", "Foresees", "Foretells", "flat", "open_question"]


class Does(enum.Enum):
    """What happens to an object."""

    KEEP = "keep"
    CREATE = "create"
    CHANGE = "change"
    DESTROY = "destroy"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Effect:
    """What happens to one object. No secrets.

    Attributes:
        path: where the config speaks of it.
        does: what happens.
        what: the object: "partition 1 of /dev/vdb".
        detail: how it will be; for what is unknown, why.
        lost: what is there now and will be no more.
        devices: kernel nodes of which the contents are lost too.
    """

    path: ConfigPath
    does: Does
    what: str
    detail: str = ""
    lost: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@runtime_checkable
class Foretells(Protocol):
    """A step that can say what it will do to each object, and not only which actions it takes."""

    def effects(self, config: Config, facts: Any, host: Host) -> Iterable[Effect | Refusal]:
        """One effect for each object that the plan does not refuse; reads only.

        A refusal is one that the stage itself will only find while it acts.
        """


@runtime_checkable
class Foresees(Protocol):
    """A step after which later ones see another machine, in more than the devices that its plan creates."""

    def foresee(self, config: Config, facts: Any, host: PreviewHost) -> State | None:
        """Tell the preview's host what will be there; returns what it leaves for later stages."""


def open_question(path: ConfigPath) -> str:
    """Why nobody can tell what becomes of something: another object comes first, and that is refused."""
    return f"that depends on what becomes of {format_path(path[:3])}"


def flat(actions: Iterable[Action]) -> Iterator[Action]:
    """The actions of a plan, those in groups too."""
    for action in actions:
        inner = getattr(action, "actions", None)
        if inner is None:
            yield action
        else:
            yield from flat(inner)
