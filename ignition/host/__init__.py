"""The world a stage may touch: programs, the target root, devices, resources.

A stage gets one `Host` and goes through nothing else, so a test hands in
another one. `run` and `fetch` are what tests replace; `Root` is real, on a
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
    from ignition.host.files.tree import Tree
    from ignition.host.root import Root

__all__ = ["DeviceView", "Devices", "Fetch", "Host", "Run", "View"]


class Run(Protocol):
    """Runs a command to its end; `ignition.host.run.run` is the real one."""

    def __call__(self, command: Command, /) -> Ran:
        """Run it; raises `CommandFailed` for a status that the command does not accept."""


class Fetch(Protocol):
    """Gets resources; `ignition.resource.Fetcher` is the real one."""

    def bytes(self, source: Source) -> bytes:
        """The whole resource, decompressed and verified."""

    def file(self, source: Source, into: BinaryIO) -> None:
        """Stream the resource into `into`, decompressed and verified.

        On an error `into` holds an unusable part; the caller discards it.
        """


class DeviceView(Protocol):
    """Block devices for reading: the part of `Devices` that `observe` and previews use."""

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Return when each device path exists.

        `wanted` maps device path to the place in the config that needs it.
        Raises `IgnitionError` naming the missing ones and those that are there.
        """

    def alias(self, device: str) -> str:
        """Return a path of the device that programs are given.

        The real one is a symlink under `/run/ignition/dev_aliases`; nothing on the device changes.
        """

    def resolve(self, device: str) -> str:
        """The kernel's node for a device path, all links followed."""


class Devices(DeviceView, Protocol):
    """Block devices as the kernel and udev show them; `ignition.host.devices` has the real one."""

    def settle(self, devices: Iterable[str]) -> None:
        """Let udev look at the devices again and wait until it has."""

    def locked(self, devices: Iterable[str]) -> AbstractContextManager[None]:
        """Hold the locks of the whole disks that these kernel nodes are on; udev leaves them alone meanwhile.

        Several may hold the lock of one disk at once.
        """

    def zero(self, device: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Write zeros over parts of a device (offset, length; in bytes)."""


def _has_program(program: str) -> bool:
    from ignition.host.programs import is_there

    return is_there(program)


class View(Protocol):
    """The machine for reading only. `Host` is a view of the machine; a preview has one of its own.

    `run` is for queries: programs that change nothing.
    """

    @property
    def run(self) -> Run: ...

    @property
    def root(self) -> Tree: ...

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
    """The only things a stage may touch. Attributes as in `View`, with the methods that change the machine.

    Attributes:
        run: starts programs.
        root: files of the machine that is being set up (`--root`).
        devices: block devices.
        fetch: resources of the config.
        system: where the running system (the initramfs) itself is mounted; `/`
            except in tests. `/proc`, `/sys`, `/dev`, `/run` and `/lib/modules` are found below it.
        has_program: whether `run` would find a program of this name.
    """

    run: Run
    root: Root
    devices: Devices
    fetch: Fetch
    system: str = "/"
    has_program: Callable[[str], bool] = _has_program
