# SPDX-License-Identifier: Apache-2.0
"""The machine of a preview: a read-only view with predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ignition.host import Fetch, Run
from ignition.host.programs import has_program
from ignition.preview.devices import PredictedDevices
from ignition.preview.queries import Queries
from ignition.preview.tree import PredictedTree

__all__ = ["PreviewHost", "preview_host"]


@dataclass(frozen=True)
class PreviewHost:
    """A `View` of the machine after the steps so far. No attribute has a method that changes the machine.

    Attributes:
        formatted: devices of the config on which a filesystem will be created.
    """

    run: Queries
    root: PredictedTree
    devices: PredictedDevices
    fetch: Fetch
    system: str = "/"
    has_program: Callable[[str], bool] = has_program
    formatted: set[str] = field(default_factory=set)


def preview_host(root: str, run: Run, fetch: Fetch, system: str = "/") -> PreviewHost:
    """Return a preview's host for the target root `root`; `run` is only used for queries."""
    devices = PredictedDevices(system)
    return PreviewHost(Queries(run, devices), PredictedTree(root), devices, fetch, system)
