# SPDX-License-Identifier: Apache-2.0
"""The umount stage: unmount the filesystems of the mount stage, deepest first.

Source of the rules: docs/reference/stages.md, "umount stage".
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.command import CommandFailed
from ignition.host.mounts import mounted, processes_using
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.mount import PATH, mountable
from ignition.tools import mount

__all__ = ["STEPS", "Unmount", "UnmountFilesystems"]

ATTEMPTS: Final = 5
PAUSE: Final = 0.3
"""Seconds between two attempts: udev or the journal often keep a mount busy for a moment."""


@dataclass(frozen=True)
class Unmount:
    """Unmount several targets in this order; busy ones are retried.

    Attributes:
        targets: paths in the running system.
    """

    path: ConfigPath
    targets: tuple[str, ...]

    def describe(self) -> str:
        return f"unmounting {', '.join(self.targets)}"

    def perform(self, host: Host) -> None:
        left: Sequence[str] = self.targets
        for attempt in range(1, ATTEMPTS + 1):
            try:
                host.run(mount.umount(left))
            except CommandFailed as error:
                left = _still_mounted(host, left)
                if not left:
                    return
                if attempt == ATTEMPTS:
                    raise _busy(host, left) from error
                log.info(f"retrying in {PAUSE} s: {error.ran.stderr.strip()}")
                time.sleep(PAUSE)
            else:
                return


def _still_mounted(host: View, targets: Sequence[str]) -> list[str]:
    there = {each.target for each in mounted(host.system)}
    return [target for target in targets if target in there]


def _busy(host: View, targets: Sequence[str]) -> IgnitionError:
    by = {target: ", ".join(processes_using(host.system, target)) or "no process" for target in targets}
    return IgnitionError(
        "cannot unmount " + "; ".join(f"{target} (used by {names})" for target, names in by.items()),
        hint="end these processes, and unmount filesystems below",
    )


class UnmountFilesystems:
    """The step that unmounts all filesystems of the mount stage."""

    name = "mounts"

    def wanted(self, config: Config) -> bool:
        return any(mountable(config))

    def observe(self, config: Config, host: View, state: State) -> tuple[str, ...]:  # noqa: ARG002
        """Return the mounted targets, deepest first: a path below another one is longer."""
        paths = sorted((path for _, path, _ in mountable(config)), key=len, reverse=True)
        return tuple(_still_mounted(host, [host.root.host_path(path) for path in dict.fromkeys(paths)]))

    def plan(self, config: Config, facts: tuple[str, ...]) -> Plan:  # noqa: ARG002
        return Plan(actions=(Unmount(PATH, facts),) if facts else ())


STEPS = (UnmountFilesystems(),)
