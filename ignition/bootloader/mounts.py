"""Filesystems with a boot loader's files, mounted while they are needed: read-only until one is written.

The stages' units have a mount namespace whose mounts nobody else sees, and that ends with them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.host.root import Root
from ignition.tools.kargs import remount_writable
from ignition.tools.mount import mount, umount

if TYPE_CHECKING:
    from types import TracebackType

    from ignition.bootloader.candidates import Place
    from ignition.host import Run

__all__ = ["Mounts"]

DIRECTORY: Final = "/run/ignition/boot"


class Mounts:
    """What is mounted now, each device once; all of it is unmounted at the end."""

    def __init__(self, run: Run, system: str = "/") -> None:
        self._run = run
        self._directory = f"{system.rstrip('/')}{DIRECTORY}"
        self._mounted: dict[str, str] = {}
        self._writable: set[str] = set()

    def __enter__(self) -> Mounts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def at(self, place: Place) -> Root:
        """The filesystem of a place.

        Raises:
            CommandFailed: it cannot be mounted.
        """
        target = self._mounted.get(place.device)
        if target is None:
            target = f"{self._directory}/{len(self._mounted)}"
            os.makedirs(target, mode=0o700, exist_ok=True)
            self._run(mount("auto", place.device, target, ("ro", *place.options)))
            self._mounted[place.device] = target
        return Root(target)

    def make_writable(self, place: Place) -> None:
        """Let the filesystem of a place, which is mounted, be written.

        Raises:
            IgnitionError: it cannot be; it is on a read-only disk, or damaged.
        """
        if place.device not in self._writable:
            try:
                self._run(remount_writable(self._mounted[place.device]))
            except CommandFailed as error:
                raise IgnitionError(f"cannot mount {place.what} for writing: {error}") from error
            self._writable.add(place.device)

    def release(self) -> None:
        """Unmount everything.

        Raises:
            CommandFailed: something cannot be unmounted.
        """
        targets = [*reversed(self._mounted.values())]
        self._mounted.clear()
        self._writable.clear()
        if targets:
            self._run(umount(targets))
