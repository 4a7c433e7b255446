# SPDX-License-Identifier: Apache-2.0
"""Progress messages of long work, in the log and on the console.

The log of an initramfs goes to the journal, which does not appear on the console, so a slow first boot would
look like a hang. Progress messages therefore go to the console too, like systemd's status lines, also with
the kernel argument `quiet`. Parallel work does not delay them.

A download reports after ten seconds and then at intervals that grow to a minute, because several run in
parallel. A program reports after ten seconds and then every thirty. Shorter work reports nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from ignition import log
from ignition.text import printable

__all__ = ["DOWNLOAD_AFTER", "DOWNLOAD_EVERY", "PROGRAM_AFTER", "PROGRAM_EVERY", "Download", "Work", "report"]

CONSOLE: Final = "/dev/console"
INITRAMFS: Final = "/etc/initrd-release"
"""Exists only in an initramfs; elsewhere the console is a terminal in use."""

DOWNLOAD_AFTER: Final = 10.0
DOWNLOAD_EVERY: Final = 60.0
PROGRAM_AFTER: Final = 10.0
PROGRAM_EVERY: Final = 30.0
"""All in seconds."""

_MIB: Final = 2**20
_ERASE_LINE: Final = "\r\x1b[K"
"""Removes systemd's animated line about running jobs."""


def report(text: str) -> None:
    """Log a progress message at once, and show it on the console in an initramfs."""
    with log.hold_lines() as lines:
        log.info(text)
    log.release(lines)
    if os.path.exists(INITRAMFS):
        _write_to_console(text)


def _write_to_console(text: str) -> None:
    """Write to the console; errors are ignored, because they must not stop a boot."""
    try:
        descriptor = os.open(CONSOLE, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(descriptor, f"{_ERASE_LINE}ignition: {printable(text)}\n".encode("utf-8", "replace"))
    except OSError:
        return
    finally:
        os.close(descriptor)


class Download:
    """Progress of a download.

    `what` names the download without secrets; `now` returns seconds of a monotonic clock.
    """

    def __init__(self, what: str, now: Callable[[], float]) -> None:
        self._what = what
        self._now = now
        self._reported_at = now()
        self._reported = 0
        self._interval = DOWNLOAD_AFTER

    def update(self, received: int, size: int | None = None) -> None:
        """Report the received bytes, of `size` in total if known, when the interval has passed."""
        passed = self._now() - self._reported_at
        if passed < self._interval:
            return
        self._interval = min(2 * self._interval, DOWNLOAD_EVERY)
        new = received - self._reported if received >= self._reported else received
        of = "" if size is None else f" of {size / _MIB:.1f}"
        report(f"{self._what}: {received / _MIB:.1f}{of} MiB, {_rate(new / passed)}")
        self._reported_at, self._reported = self._now(), received


def _rate(speed: float) -> str:
    return f"{speed / _MIB:.1f} MiB/s" if speed >= _MIB else f"{speed / 1024:.0f} KiB/s"


class Work:
    """Progress of a program: "still creating ext4 on /dev/vdb1 (40 s)".

    `what` names the work; `now` returns seconds of a monotonic clock.
    """

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now = now
        self._start = now()
        self._next = PROGRAM_AFTER

    def seconds_until_report(self) -> float:
        return max(0.0, self._next - self._passed())

    def report(self) -> None:
        """Report that the work is still running."""
        passed = self._passed()
        report(f"still {self._what} ({passed:.0f} s)")
        self._next = passed + PROGRAM_EVERY

    def _passed(self) -> float:
        return self._now() - self._start
