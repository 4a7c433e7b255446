"""A host that shows the machine as it is and as it will be, and changes nothing.

What is planned is told to it, and later looks find it: partitions that will be made are there, with
whatever lies on the disk in their place now; other devices that will be made are there and empty.
Programs are only started if they are known to do nothing but look.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, blocks
from ignition.host.command import Command, Ran
from ignition.preview.tree import PreviewRoot, Unseen, refuse
from ignition.stages.disks import signatures
from ignition.stages.disks.signatures import Place
from ignition.tools import blkid

if TYPE_CHECKING:
    from ignition.host import Fetch, Run

__all__ = ["MissingDevice", "PreviewDevices", "PreviewHost", "Queries", "preview_host"]

QUERIES: Final = {
    "blkid": frozenset({"-p"}),
    "cryptsetup": frozenset({"isLuks", "luksDump", "luksUUID"}),
    "dmsetup": frozenset({"table"}),
    "lsblk": frozenset({"--json"}),
    "mdadm": frozenset({"--detail", "--examine"}),
    "wipefs": frozenset({"--json"}),
}
"""Program → first arguments with which it only looks."""

NOT_ITS_KIND: Final = 1
"""The status by which mdadm and cryptsetup say that a device is none of theirs."""

UUID: Final = "00000000-0000-0000-0000-000000000000"
"""Stands for the UUID of an encrypted volume that is still to be made."""


class MissingDevice(IgnitionError):
    """A device that the config names is not there, and no earlier step makes it."""


class PreviewDevices:
    """Block devices: those that are there, those that will be, and without those that will be no more."""

    def __init__(self, system: str = "/") -> None:
        self._system = system
        self._nodes: dict[str, str] = {}
        self._places: dict[str, Place] = {}
        self._gone: set[str] = set()
        self._uncertain: dict[str, str] = {}
        self._blank: set[Place] = set()

    def will_make(self, node: str, names: Iterable[str] = (), place: Place | None = None) -> None:
        """Take this path, from now on, for a device that is there; `names` lead to it."""
        self._nodes |= dict.fromkeys((node, *names), node)
        if place:
            self._places[node] = place

    def will_be_blank(self, place: Place) -> None:
        """Remember that there is nothing in a part of a disk, so that nobody looks twice."""
        self._blank.add(place)

    def will_lose(self, nodes: Iterable[str]) -> None:
        """Take these devices, from now on, for gone."""
        self._gone.update(nodes)

    def may_make(self, devices: Iterable[str], why: str) -> None:
        """Take it for open, from now on, whether these paths that nobody knows yet will exist, and why."""
        self._uncertain |= {device: why for device in devices if not self.is_new(device)}

    def is_new(self, device: str) -> bool:
        """Whether the device will be made, be it in the place of one that is there now."""
        return self.resolve(device) in self._nodes

    def place(self, device: str) -> Place | None:
        """Where a new device will be, if that is on a disk that is there already."""
        return self._places.get(self.resolve(device))

    def under(self, place: Place, start: Run) -> Ran:
        """What blkid says of a part of a disk."""
        if place in self._blank:
            return Ran(blkid.NOTHING)
        return signatures.ask_under(start, self._system, place)

    def is_uncertain(self, device: str) -> bool:
        """Whether nobody can tell what the device will be."""
        return device in self._uncertain

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Look once.

        Raises:
            MissingDevice: one is not there and will not be made.
            Unseen: nobody can tell.
        """
        for device in wanted:
            if self.is_new(device):
                continue
            if self.resolve(device) in self._gone:
                raise MissingDevice(f"{device} will not be there: its partition is deleted")
            if not os.path.exists(self._system.rstrip("/") + device):
                if device in self._uncertain:
                    raise Unseen(self._uncertain[device])
                raise MissingDevice(f"{device} is not there", hint="correct the device, or attach the disk")

    def alias(self, device: str) -> str:
        """The kernel's node: no links are made."""
        return self.resolve(device)

    def resolve(self, device: str) -> str:
        """The kernel's node; what will be made has the one that it will have, or keeps its name."""
        return self._nodes.get(device) or blocks.resolve(self._system, device)

    def settle(self, devices: Iterable[str]) -> NoReturn:
        """Never happens in a preview."""
        refuse(f"settling {', '.join(devices)}")

    def locked(self, devices: Iterable[str]) -> AbstractContextManager[None]:
        """Never happens in a preview."""
        refuse(f"locking {', '.join(devices)}")

    def zero(self, device: str, ranges: Iterable[tuple[int, int]]) -> NoReturn:
        """Never happens in a preview."""
        refuse(f"zeroing {device}")


@dataclass(frozen=True)
class Queries:
    """Starts programs that only look; of devices that will be made it finds the answer itself.

    Attributes:
        start: starts them.
        devices: which devices there will be.
    """

    start: Run
    devices: PreviewDevices

    def __call__(self, command: Command, /) -> Ran:
        """Ask.

        Raises:
            Unseen: the command might do more than look.
        """
        if not is_query(command):
            raise Unseen(f"{command.why} is more than looking")
        new = [word for word in command.argv[1:] if isinstance(word, str) and self._is_new(word)]
        if not new:
            return self.start(command)
        if command.program == "wipefs":
            return self._signatures(command, new)
        place = self.devices.place(new[0])
        if command.program == "blkid":
            return self.devices.under(place, self.start) if place else Ran(blkid.NOTHING)
        if "luksUUID" in command.argv:
            return Ran(0, f"{UUID}\n")
        if place or NOT_ITS_KIND not in command.ok:
            raise Unseen(f"{new[0]} is still to be made")
        return Ran(NOT_ITS_KIND)

    def _is_new(self, word: str) -> bool:
        return word.startswith("/dev/") and self.devices.is_new(word)

    def _signatures(self, command: Command, new: list[str]) -> Ran:
        """The list that wipefs prints: its own for what is there, and blkid's findings for what will be."""
        rest = tuple(word for word in command.argv if word not in new)
        listed: list[dict[str, str | None]] = []
        if any(str(word).startswith("/dev/") for word in rest):
            shown = self.start(Command(rest, command.why, ok=command.ok)).stdout
            listed = json.loads(shown)["signatures"] if shown.strip() else []
        for device in new:
            place = self.devices.place(device)
            found = blkid.parse(command, self.devices.under(place, self.start)) if place else blkid.Probe()
            if found.format or found.is_ambivalent:
                listed.append(
                    {
                        "device": device.rpartition("/")[2],
                        "type": found.format or "several signatures",
                        "usage": "filesystem",
                        "uuid": found.uuid or None,
                        "label": found.label or None,
                    }
                )
        return Ran(0, json.dumps({"signatures": listed}))


def is_query(command: Command) -> bool:
    """Whether the command is known to do nothing but look."""
    words = [str(word) for word in command.argv[1:]]
    known = QUERIES.get(command.program, frozenset())
    return (
        command.stdin is None and words[:1] != [] and words[0] in known and not {"--all", "-a"} & set(words)
    )


@dataclass(frozen=True)
class PreviewHost(Host):
    """The only things a preview may touch.

    Attributes:
        formatted: devices of the config on which a file system will be made.
    """

    root: PreviewRoot
    devices: PreviewDevices
    formatted: set[str] = field(default_factory=set)


def preview_host(root: str, run: Run, fetch: Fetch, system: str = "/") -> PreviewHost:
    """A host that only looks, with the programs and resources of the real one."""
    devices = PreviewDevices(system)
    return PreviewHost(
        run=Queries(run, devices), root=PreviewRoot(root), devices=devices, fetch=fetch, system=system
    )
