# SPDX-License-Identifier: Apache-2.0
"""Block devices as they will be: existing ones, predicted ones, and without those that will be removed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Run, blocks
from ignition.host.command import Ran
from ignition.host.system_path import under
from ignition.preview.tree import Unseen
from ignition.stages.disks import signatures
from ignition.stages.disks.signatures import Place
from ignition.tools import blkid

__all__ = ["MissingDevice", "PredictedDevices"]


class MissingDevice(IgnitionError):
    """A device of the config does not exist, and no earlier step creates it."""


class PredictedDevices:
    """A `DeviceView` with predictions.

    A predicted partition has the contents of its extent on the disk; other predicted devices are empty.
    """

    def __init__(self, system: str = "/") -> None:
        self._system = system
        self._nodes: dict[str, str] = {}
        self._places: dict[str, Place] = {}
        self._gone: set[str] = set()
        self._uncertain: dict[str, str] = {}
        self._blank: set[Place] = set()

    # Predictions.

    def predict_device(self, node: str, names: Iterable[str] = (), place: Place | None = None) -> None:
        """Predict that a device exists from now on; `names` lead to it."""
        self._nodes |= dict.fromkeys((node, *names), node)
        if place:
            self._places[node] = place

    def predict_blank(self, place: Place) -> None:
        """Note that a part of a disk has no signature, so that it is not probed again."""
        self._blank.add(place)

    def predict_removal(self, nodes: Iterable[str]) -> None:
        """Predict that these devices do not exist from now on."""
        self._gone.update(nodes)

    def predict_uncertain(self, devices: Iterable[str], why: str) -> None:
        """Predict that these paths may exist or not, unless they are predicted already; `why` is shown."""
        self._uncertain |= {device: why for device in devices if not self.is_new(device)}

    # Queries about predictions.

    def is_new(self, device: str) -> bool:
        """Whether the device will be created, possibly in place of an existing one."""
        return self.resolve(device) in self._nodes

    def is_uncertain(self, device: str) -> bool:
        return device in self._uncertain

    def place(self, device: str) -> Place | None:
        """Return the part of an existing disk that a new device will occupy; None if it is on no disk."""
        return self._places.get(self.resolve(device))

    def probe(self, place: Place, start: Run) -> Ran:
        """Return the result of blkid for a part of a disk."""
        if place in self._blank:
            return Ran(blkid.NOTHING)
        return signatures.ask_under(start, self._system, place)

    # The view.

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Check the devices once.

        Raises:
            MissingDevice: a device does not exist and will not be created.
            Unseen: it is uncertain whether a device will exist.
        """
        for device in wanted:
            if self.is_new(device):
                continue
            if self.resolve(device) in self._gone:
                raise MissingDevice(f"device {device} not found: its partition will be deleted")
            if not os.path.exists(under(self._system, device)):
                if device in self._uncertain:
                    raise Unseen(self._uncertain[device])
                raise MissingDevice(
                    f"device {device} not found", hint="correct the device path, or attach the disk"
                )

    def alias(self, device: str) -> str:
        """Return the kernel node; no symlink is created."""
        return self.resolve(device)

    def resolve(self, device: str) -> str:
        """Return the kernel node; a predicted device has its future node, or its path if that is unknown."""
        return self._nodes.get(device) or blocks.resolve(self._system, device)
