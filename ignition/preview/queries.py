# SPDX-License-Identifier: Apache-2.0
"""Queries: the read-only programs of a preview, and answers for devices that do not exist yet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ignition.host import Run
from ignition.host.command import Command, Ran
from ignition.preview.devices import PredictedDevices
from ignition.preview.tree import Unseen
from ignition.tools import blkid

__all__ = ["Queries", "is_query"]

QUERIES: Final = {
    "blkid": frozenset({"-p"}),
    "cryptsetup": frozenset({"isLuks", "luksDump", "luksUUID"}),
    "dmsetup": frozenset({"table"}),
    "lsblk": frozenset({"--json"}),
    "mdadm": frozenset({"--detail", "--examine"}),
    "wipefs": frozenset({"--json"}),
}
"""Program → first arguments with which it is read-only."""

NOT_ITS_KIND: Final = 1
"""Exit status of mdadm and cryptsetup for a device of another type."""

UUID: Final = "00000000-0000-0000-0000-000000000000"
"""Placeholder for the UUID of a LUKS volume that does not exist yet."""


@dataclass(frozen=True)
class Queries:
    """Run read-only programs; answer queries about predicted devices without a program.

    Attributes:
        start: runs programs.
        devices: the predicted devices.
    """

    start: Run
    devices: PredictedDevices

    def __call__(self, command: Command, /) -> Ran:
        """Run a query.

        Raises:
            Unseen: the command is not a known query.
        """
        if not is_query(command):
            raise Unseen(f"{command.why} is not a read-only query")
        new = [word for word in command.argv[1:] if isinstance(word, str) and self._is_new(word)]
        if not new:
            return self.start(command)
        if command.program == "wipefs":
            return self._signatures(command, new)
        place = self.devices.place(new[0])
        if command.program == "blkid":
            return self.devices.probe(place, self.start) if place else Ran(blkid.NOTHING)
        if "luksUUID" in command.argv:
            return Ran(0, f"{UUID}\n")
        if place or NOT_ITS_KIND not in command.ok:
            raise Unseen(f"{new[0]} does not exist yet")
        return Ran(NOT_ITS_KIND)

    def _is_new(self, word: str) -> bool:
        return word.startswith("/dev/") and self.devices.is_new(word)

    def _signatures(self, command: Command, new: list[str]) -> Ran:
        """Return wipefs' list for existing devices, with blkid's results for predicted ones."""
        rest = tuple(word for word in command.argv if word not in new)
        listed: list[dict[str, str | None]] = []
        if any(str(word).startswith("/dev/") for word in rest):
            shown = self.start(Command(rest, command.why, ok=command.ok)).stdout
            listed = json.loads(shown)["signatures"] if shown.strip() else []
        for device in new:
            place = self.devices.place(device)
            found = blkid.parse(command, self.devices.probe(place, self.start)) if place else blkid.Probe()
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
    """Whether the command is known to be read-only."""
    words = [str(word) for word in command.argv[1:]]
    known = QUERIES.get(command.program, frozenset())
    return (
        command.stdin is None and words[:1] != [] and words[0] in known and not {"--all", "-a"} & set(words)
    )
