"""Block devices: wait for them, give them a name that stays, lock them, let udev look at them.

Waiting needs nobody but the kernel and udev: a device is there when its path leads
to something. Events only shorten the wait, so pyudev is imported when one is needed,
and where its library cannot be found the wait goes on without.
"""

from __future__ import annotations

import fcntl
import os
import posixpath
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from ignition import distro, log
from ignition.configpath import ConfigPath, format_path
from ignition.errors import IgnitionError
from ignition.host import blocks, progress
from ignition.host.command import Command, CommandFailed
from ignition.host.run import run as run_command

if TYPE_CHECKING:
    from ignition.host import Run

__all__ = ["BlockDevices"]

PATIENCE: Final = 90.0
"""Seconds to wait for a device; systemd's default for device units, the reference's limit in effect."""
REMINDER: Final = 5.0
"""Seconds between two lines about what is waited for."""
TICK: Final = 0.1
"""Seconds between two looks when no event tells of a change."""
LOCK_PATIENCE: Final = 30.0
SETTLE_RETRIES: Final = 3
UDEV_SOCKET: Final = "/run/udev/control"


class BlockDevices:
    """The devices of the running system."""

    def __init__(
        self,
        system: str = "/",
        *,
        run: Run = run_command,
        patience: float = PATIENCE,
        reminder: float = REMINDER,
    ) -> None:
        self._run = run
        self._system = system
        self._base = system.rstrip("/")
        self._patience = patience
        self._reminder = reminder
        self._locks = _Locks()

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Return when each device path exists.

        `wanted` maps device path to the place in the config that needs it; an empty one is nobody's.

        Raises:
            IgnitionError: a device did not come in time; names it and those that are there.
        """
        missing = self._missing(wanted)
        if not missing:
            return
        began = time.monotonic()
        reminded = began
        self._remind(missing, wanted)
        with _changes() as change:
            while missing := self._missing(wanted):
                now = time.monotonic()
                if now - began >= self._patience:
                    raise self._absent(missing, wanted)
                if now - reminded >= self._reminder:
                    self._remind(missing, wanted)
                    reminded = now
                change(TICK)

    def alias(self, device: str) -> str:
        """A link to the kernel's node of a device, which stays when udev's own links change."""
        alias = f"{self._base}{distro.BLOCK_DEVICE_ALIASES}{posixpath.normpath('/' + device.lstrip('/'))}"
        os.makedirs(os.path.dirname(alias), mode=0o750, exist_ok=True)
        target = self._base + self.resolve(device)
        try:
            if os.readlink(alias) == target:
                return alias
            os.unlink(alias)
        except FileNotFoundError:
            pass
        os.symlink(target, alias)
        return alias

    def resolve(self, device: str) -> str:
        """The kernel's node for a device path, all links followed."""
        self.wait({device: ()})
        return blocks.resolve(self._system, device)

    def settle(self, devices: Iterable[str]) -> None:
        """Let udev look at the devices again and wait until it has; without udev nothing happens."""
        paths = [self._base + device for device in devices]
        if not paths:
            return
        if not os.path.exists(self._base + UDEV_SOCKET):
            log.debug("udev does not run, so there is nothing to wait for")
            return
        # `--settle` waits for the very events it sends: not for those of others, and not
        # less than for ours, as `udevadm settle` may when udev has not seen them yet.
        why = f"letting udev look at {', '.join(paths)} again"
        command = Command(("udevadm", "trigger", "--settle", *paths), why)
        for _ in range(SETTLE_RETRIES):
            try:
                self._run(command)
            except CommandFailed as error:
                # A partition is gone for a moment while udev makes the kernel read its disk's table again.
                log.info(f"trying again: {error.ran.stderr.strip()}")
                time.sleep(TICK)
            else:
                return
        self._run(command)

    @contextmanager
    def locked(self, devices: Iterable[str]) -> Iterator[None]:
        """Hold the locks of the whole disks that these kernel nodes are on, so that udev leaves them alone.

        Several may hold the lock of a disk at once here: it is held until the last of them has ended.
        Source: systemd's "Locking Block Device Access". Without the lock udev reads the
        partition table again after each writer, for which partitions vanish for a moment.
        """
        with ExitStack() as locks:
            # Always in the same order: whoever locks several of the same disks must not wait in a ring.
            for device in sorted({blocks.whole(self._system, device) for device in devices}):
                locks.enter_context(self._locks.held(self._base + device, device))
            yield

    def zero(self, device: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Write zeros over parts of a device (offset, length; in bytes) and wait until they are on it.

        Raises:
            IgnitionError: it cannot be written.
        """
        try:
            descriptor = os.open(self._base + device, os.O_WRONLY | os.O_CLOEXEC)
            try:
                for offset, length in ranges:
                    _write(descriptor, offset, bytes(length))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise IgnitionError(f"cannot write {device}: {error.strerror}") from error

    def _missing(self, wanted: Iterable[str]) -> list[str]:
        return [device for device in wanted if not os.path.exists(self._base + device)]

    def _remind(self, missing: Iterable[str], wanted: Mapping[str, ConfigPath]) -> None:
        for device in missing:
            progress.say(f"waiting for {_with_place(device, wanted[device])}")

    def _absent(self, missing: list[str], wanted: Mapping[str, ConfigPath]) -> IgnitionError:
        names = ", ".join(_with_place(device, wanted[device]) for device in missing)
        there = "".join(f"\n  {line}" for line in blocks.every(self._system)) or " none"
        return IgnitionError(
            f"{names} did not appear within {self._patience:.0f} seconds; devices that are there:{there}",
            path=wanted[missing[0]] or None,
            hint="correct the device in the config, or attach the disk; /dev/disk/by-id has names that stay",
        )


def _with_place(device: str, path: ConfigPath) -> str:
    return f"{device} ({format_path(path)})" if path else device


def _write(descriptor: int, offset: int, data: bytes) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        offset, data = offset + written, data[written:]


class _Locks:
    """The locks that this process holds: one for each disk, however many work on it.

    The kernel would let two descriptors of one process wait for each other as if they were strangers'.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[str, tuple[int, int]] = {}

    @contextmanager
    def held(self, path: str, device: str) -> Iterator[None]:
        with self._guard:
            descriptor, users = self._held.get(path) or (_locked(path, device), 0)
            self._held[path] = descriptor, users + 1
        try:
            yield
        finally:
            with self._guard:
                descriptor, users = self._held.pop(path)
                if users > 1:
                    self._held[path] = descriptor, users - 1
                else:
                    os.close(descriptor)


def _locked(path: str, device: str) -> int:
    """A descriptor with the lock."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor, device)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, device: str) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise IgnitionError(
                    f"another program has held the lock of {device} for {LOCK_PATIENCE:.0f} seconds",
                    hint="`lsof` names the programs that have the device open",
                ) from error
            time.sleep(0.02)
        else:
            return


@contextmanager
def _changes() -> Iterator[Callable[[float], object]]:
    """A function that waits until something happened to a block device, or so many seconds."""
    try:
        import pyudev

        monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
        monitor.filter_by("block")
        monitor.start()
    except (ImportError, OSError) as error:
        # pyudev finds its library with programs that a small initramfs does not have.
        log.debug(f"no events from udev ({error}), looking every {TICK} seconds instead")
        yield time.sleep
    else:
        yield monitor.poll
