# SPDX-License-Identifier: Apache-2.0
"""Wait for block devices, alias them, lock them, and trigger udev.

A device exists when its path resolves. udev events only shorten the wait, so pyudev is imported when a wait
begins, and without its library the paths are polled.
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
from ignition.host.system_path import under
from ignition.text import strerror

if TYPE_CHECKING:
    from ignition.host import Run

__all__ = ["BlockDevices"]

DEVICE_TIMEOUT: Final = 90.0
"""Seconds to wait for a device: systemd's default for device units, which also limits the reference."""

REMINDER_INTERVAL: Final = 5.0
"""Seconds between two log lines about missing devices."""

POLL_INTERVAL: Final = 0.1
"""Seconds between two checks without an event."""

LOCK_TIMEOUT: Final = 30.0
"""Seconds to wait for the lock of a disk."""

SETTLE_RETRIES: Final = 3
UDEV_SOCKET: Final = "/run/udev/control"


class BlockDevices:
    """The block devices of the running system."""

    def __init__(
        self,
        system: str = "/",
        *,
        run: Run = run_command,
        timeout: float = DEVICE_TIMEOUT,
        reminder_interval: float = REMINDER_INTERVAL,
    ) -> None:
        self._run = run
        self._system = system
        self._timeout = timeout
        self._reminder_interval = reminder_interval
        self._locks = _Locks()

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Wait until each device path exists.

        `wanted` maps device path to the place in the config that needs it, or to an empty path.

        Raises:
            IgnitionError: timed out; lists the missing and the existing devices.
        """
        missing = self._missing(wanted)
        if not missing:
            return
        began = time.monotonic()
        reminded = began
        self._remind(missing, wanted)
        with _events() as wait_for_event:
            while missing := self._missing(wanted):
                now = time.monotonic()
                if now - began >= self._timeout:
                    raise self._timed_out(missing, wanted)
                if now - reminded >= self._reminder_interval:
                    self._remind(missing, wanted)
                    reminded = now
                wait_for_event(POLL_INTERVAL)

    def alias(self, device: str) -> str:
        """Create a symlink to the kernel node, which stays valid when udev changes its symlinks."""
        place = posixpath.normpath("/" + device.lstrip("/"))
        alias = under(self._system, distro.BLOCK_DEVICE_ALIASES + place)
        os.makedirs(os.path.dirname(alias), mode=0o750, exist_ok=True)
        target = under(self._system, self.resolve(device))
        try:
            if os.readlink(alias) == target:
                return alias
            os.unlink(alias)
        except FileNotFoundError:
            pass
        os.symlink(target, alias)
        return alias

    def resolve(self, device: str) -> str:
        """Wait for a device; return its kernel node, all symlinks resolved."""
        self.wait({device: ()})
        return blocks.resolve(self._system, device)

    def settle(self, devices: Iterable[str]) -> None:
        """Trigger udev events for the devices and wait until they are processed; do nothing without udev."""
        paths = [under(self._system, device) for device in devices]
        if not paths:
            return
        if not os.path.exists(under(self._system, UDEV_SOCKET)):
            log.debug("udev is not running: not waiting")
            return
        # `--settle` waits for exactly the triggered events. `udevadm settle` also waits for other events,
        # and may return before udev received these.
        why = f"triggering udev events for {', '.join(paths)}"
        command = Command(("udevadm", "trigger", "--settle", *paths), why)
        for _ in range(SETTLE_RETRIES):
            try:
                self._run(command)
            except CommandFailed as error:
                # A partition disappears for a moment while the kernel rereads the partition table for udev.
                log.info(f"retrying: {error.ran.stderr.strip()}")
                time.sleep(POLL_INTERVAL)
            else:
                return
        self._run(command)

    @contextmanager
    def locked(self, devices: Iterable[str]) -> Iterator[None]:
        """Hold the locks of the whole disks of these kernel nodes, so that udev does not probe them.

        Several threads may hold the lock of one disk; it is released by the last one. Without the lock udev
        rereads the partition table after each write, and partitions disappear for a moment.
        Source: https://systemd.io/BLOCK_DEVICE_LOCKING.
        """
        with ExitStack() as locks:
            # One order for all threads prevents a deadlock.
            for device in sorted({blocks.whole_disk(self._system, device) for device in devices}):
                locks.enter_context(self._locks.held(under(self._system, device), device))
            yield

    def zero(self, device: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Overwrite ranges of a device (offset, length; in bytes) with zeros, and sync.

        Raises:
            IgnitionError: the device cannot be written.
        """
        try:
            descriptor = os.open(under(self._system, device), os.O_WRONLY | os.O_CLOEXEC)
            try:
                for offset, length in ranges:
                    _write(descriptor, offset, bytes(length))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise IgnitionError(f"cannot write {device}: {strerror(error)}") from error

    def _missing(self, wanted: Iterable[str]) -> list[str]:
        return [device for device in wanted if not os.path.exists(under(self._system, device))]

    def _remind(self, missing: Iterable[str], wanted: Mapping[str, ConfigPath]) -> None:
        for device in missing:
            progress.report(f"waiting for {_with_place(device, wanted[device])}")

    def _timed_out(self, missing: list[str], wanted: Mapping[str, ConfigPath]) -> IgnitionError:
        names = ", ".join(_with_place(device, wanted[device]) for device in missing)
        existing = "".join(f"\n  {line}" for line in blocks.inventory(self._system)) or " none"
        return IgnitionError(
            f"{names} not found: timed out after {self._timeout:.0f} s; existing devices:{existing}",
            path=wanted[missing[0]] or None,
            hint="correct the device in the config (paths in /dev/disk/by-id are stable) or attach the disk",
        )


def _with_place(device: str, path: ConfigPath) -> str:
    return f"{device} ({format_path(path)})" if path else device


def _write(descriptor: int, offset: int, data: bytes) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        offset, data = offset + written, data[written:]


class _Locks:
    """The locks that this process holds: one for each disk, with a count of its users.

    flock(2) locks of two descriptors conflict, also within one process.
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
    """Open a disk and lock it; return the descriptor."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor, device)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, device: str) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise IgnitionError(
                    f"cannot lock {device}: held by another program for {LOCK_TIMEOUT:.0f} s",
                    hint="list the programs that have the device open: lsof",
                ) from error
            time.sleep(0.02)
        else:
            return


@contextmanager
def _events() -> Iterator[Callable[[float], object]]:
    """Yield a function that waits for a block device event, at most the given seconds."""
    try:
        import pyudev

        monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
        monitor.filter_by("block")
        monitor.start()
    except (ImportError, OSError) as error:
        # pyudev finds its library with programs that a small initramfs lacks.
        reason = strerror(error) if isinstance(error, OSError) else str(error)
        log.debug(f"no udev events ({reason}): polling every {POLL_INTERVAL} s")
        yield time.sleep
    else:
        yield monitor.poll
