# SPDX-License-Identifier: Apache-2.0
"""The last step of the files stage: write all filesystems of the target root to disk."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host, View
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.files.selinux import homes_of

__all__ = ["Sync", "WriteBack"]


@dataclass(frozen=True)
class WriteBack:
    """Write filesystems to their disks (syncfs)."""

    directories: tuple[str, ...]
    path: ConfigPath = ()

    def describe(self) -> str:
        return "writing everything to disk"

    def perform(self, host: Host) -> None:
        """Sync each filesystem once."""
        host.root.sync(self.directories)


class Sync:
    """The step after which everything that the stage wrote is on disk."""

    name = "sync"

    def wanted(self, config: Config) -> bool:
        """Always: at least the result file was written."""
        del config
        return True

    def observe(self, config: Config, host: View, state: State) -> tuple[str, ...]:
        """Return a directory on each filesystem that may have been written to."""
        del state
        touched = {posixpath.dirname(path) for path in host.root.touched}
        mounts = {each.path for each in config.storage.filesystems if each.path}
        homes = homes_of(config, host.root)  # useradd writes there, unseen by Root
        return tuple(sorted(path for path in {"/", *touched, *mounts, *homes} if host.root.exists(path)))

    def plan(self, config: Config, facts: tuple[str, ...]) -> Plan:
        del config
        return Plan((WriteBack(facts),))
