# SPDX-License-Identifier: Apache-2.0
"""Filesystems that hold a config, mounted read-only for a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from ignition import distro
from ignition.errors import IgnitionError
from ignition.host import Run
from ignition.host.command import Command, CommandFailed
from ignition.text import strerror

__all__ = ["Drive", "mounted"]

UNMOUNT_TRIES: Final = 3


class Machine(Protocol):
    """What mounting needs of a `ProviderContext`."""

    @property
    def run(self) -> Run:
        """Starts programs."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""

    def path(self, path: str) -> str:
        """Return a path of the running system."""


@dataclass(frozen=True)
class Drive:
    """A mounted filesystem.

    Attributes:
        label: its label.
        directory: its mount point.
    """

    label: str
    directory: str

    def read(self, path: str) -> bytes:
        """Return a file's bytes; symlinks in the path stay inside the filesystem.

        Raises:
            IgnitionError: the file is unreadable.
        """
        from ignition.host.files.root_view import RootView

        try:
            return RootView(self.directory).read(path)
        except OSError as error:
            raise IgnitionError(f'cannot read {path} on "{self.label}": {strerror(error)}') from error


@contextmanager
def mounted(machine: Machine, label: str, *, limit: float) -> Iterator[Drive]:
    """Wait for the filesystem with this label, checking once a second, and mount it read-only.

    Raises:
        IgnitionError: it did not appear within `limit` seconds.
        CommandFailed: it cannot be mounted or unmounted.
    """
    import tempfile

    device = f"{distro.DISK_BY_LABEL}/{label}"
    deadline = time.monotonic() + limit
    while not os.path.exists(machine.path(device)):
        if time.monotonic() >= deadline:
            raise IgnitionError(
                f'no filesystem with the label "{label}" found: timed out after {limit:g} s',
                hint=f"check the label with blkid; {device} must exist",
            )
        machine.sleep(1)
    with tempfile.TemporaryDirectory(prefix="ignition-config") as directory:
        why = f"mounting {device}"
        machine.run(Command(("mount", "-o", "ro", "-t", "auto", device, directory), why))
        try:
            yield Drive(label, directory)
        finally:
            _unmount(machine, directory)


def _unmount(machine: Machine, directory: str) -> None:
    """Unmount, retrying while another program (usually udev) uses the filesystem."""
    for left in reversed(range(UNMOUNT_TRIES)):
        try:
            machine.run(Command(("umount", directory), f"unmounting {directory}"))
        except CommandFailed:
            if not left:
                raise
            machine.sleep(1)
            if not os.path.ismount(directory):
                return
        else:
            return
