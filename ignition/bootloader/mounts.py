# SPDX-License-Identifier: Apache-2.0
"""Mount filesystems with boot loader files: read-only until one is written.

The units of the stages have a private mount namespace, so the mounts are invisible to other processes and end
with the unit.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.host.root import Root
from ignition.host.system_path import under
from ignition.tools.kargs import remount_writable
from ignition.tools.mount import mount, umount

if TYPE_CHECKING:
    from types import TracebackType

    from ignition.bootloader.candidates import Candidate
    from ignition.host import Run

__all__ = ["Mounts"]

DIRECTORY: Final = "/run/ignition/boot"


class Mounts:
    """The mounted filesystems, one per device; all are unmounted at the end."""

    def __init__(self, run: Run, system: str = "/") -> None:
        self._run = run
        self._directory = under(system, DIRECTORY)
        self._mounted: dict[str, str] = {}
        self._writable: set[str] = set()

    def __enter__(self) -> Mounts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def at(self, candidate: Candidate) -> Root:
        """Mount the filesystem of a candidate, once.

        Raises:
            CommandFailed: it cannot be mounted.
        """
        target = self._mounted.get(candidate.device)
        if target is None:
            target = f"{self._directory}/{len(self._mounted)}"
            os.makedirs(target, mode=0o700, exist_ok=True)
            self._run(mount("auto", candidate.device, target, ("ro", *candidate.options)))
            self._mounted[candidate.device] = target
        return Root(target)

    def make_writable(self, candidate: Candidate) -> None:
        """Remount the filesystem of a candidate read-write.

        Raises:
            IgnitionError: it cannot be remounted: the disk is read-only, or the filesystem is damaged.
        """
        if candidate.device not in self._writable:
            try:
                self._run(remount_writable(self._mounted[candidate.device]))
            except CommandFailed as error:
                raise IgnitionError(f"cannot mount {candidate.what} for writing: {error}") from error
            self._writable.add(candidate.device)

    def release(self) -> None:
        """Unmount everything.

        Raises:
            CommandFailed: a filesystem cannot be unmounted.
        """
        targets = [*reversed(self._mounted.values())]
        self._mounted.clear()
        self._writable.clear()
        if targets:
            self._run(umount(targets))
