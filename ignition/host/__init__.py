# SPDX-License-Identifier: Apache-2.0
"""The machine that is provisioned: programs, target root, devices, resources.

Stages reach the machine only through a `Host`. Tests replace `run` and `fetch`, and use a real `Root` on a
temporary directory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ignition.configpath import ConfigPath
from ignition.host.command import Command, Ran
from ignition.host.source import Source

if TYPE_CHECKING:
    from ignition.host.files.root_view import RootView
    from ignition.host.root import Root

__all__ = ["DeviceView", "Devices", "Fetch", "Host", "Run", "View"]


class Run(Protocol):
    """Runs a command to its end; implemented by `ignition.host.run.run`."""

    def __call__(self, command: Command, /) -> Ran:
        """Run the command; raise `CommandFailed` for a status that it does not accept."""


class Fetch(Protocol):
    """Fetches resources; implemented by `ignition.resource.Fetcher`."""

    def bytes(self, source: Source) -> bytes:
        """Return the whole resource, decompressed and verified."""

    def file(self, source: Source, into: BinaryIO) -> None:
        """Stream the resource into `into`, decompressed and verified.

        After an error `into` contains an incomplete part, which the caller discards.
        """


class DeviceView(Protocol):
    """Block devices for reading: the part of `Devices` that `observe` and previews use."""

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Wait until each device path exists.

        `wanted` maps device path to the place in the config that needs it.
        Raises `IgnitionError` with the missing and the existing devices.
        """

    def alias(self, device: str) -> str:
        """Return the path of the device for command lines.

        It is a symlink under `/run/ignition/dev_aliases`; nothing on the device changes.
        """

    def resolve(self, device: str) -> str:
        """Return the kernel node of a device path, all symlinks resolved."""


class Devices(DeviceView, Protocol):
    """Block devices; implemented by `ignition.host.devices.BlockDevices`."""

    def settle(self, devices: Iterable[str]) -> None:
        """Trigger udev events for the devices and wait until they are processed."""

    def locked(self, devices: Iterable[str]) -> AbstractContextManager[None]:
        """Hold the locks of the whole disks of these kernel nodes, so that udev does not probe them.

        Several threads may hold the lock of one disk at the same time.
        """

    def zero(self, device: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Overwrite ranges of a device (offset, length; in bytes) with zeros."""


def _has_program(program: str) -> bool:
    from ignition.host.programs import has_program

    return has_program(program)


class View(Protocol):
    """The machine for reading. `Host` implements it; previews have another implementation.

    `run` is for queries: programs that change nothing.
    """

    @property
    def run(self) -> Run: ...

    @property
    def root(self) -> RootView: ...

    @property
    def devices(self) -> DeviceView: ...

    @property
    def fetch(self) -> Fetch: ...

    @property
    def system(self) -> str: ...

    @property
    def has_program(self) -> Callable[[str], bool]: ...


@dataclass(frozen=True)
class Host:
    """The machine for reading and changing.

    Attributes:
        run: starts programs.
        root: the target root (`--root`).
        devices: block devices.
        fetch: resources of the config.
        system: path where the running system (the initramfs) is mounted, `/` except in tests.
            `/proc`, `/sys`, `/dev`, `/run` and `/lib/modules` are read below it.
        has_program: whether `run` would find a program of this name.
    """

    run: Run
    root: Root
    devices: Devices
    fetch: Fetch
    system: str = "/"
    has_program: Callable[[str], bool] = _has_program
