"""Long work says that it goes on: in the log at once, and at boot on the console too.

The log of an initramfs goes to the journal, which shows nothing of it on the console,
so whoever watches a machine's first boot would see it hang. Lines of progress therefore
go to the console as well, where systemd's own status lines appear, however quiet the
kernel is told to be. They are not held back with those of work that goes on side by side.

Of a download there is a line after ten seconds and then at intervals that grow to a
minute, for several may go on side by side; of a program one after ten seconds and then
every thirty. What is over sooner says nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from ignition import log
from ignition.text import printable

__all__ = ["DOWNLOAD_AFTER", "DOWNLOAD_EVERY", "PROGRAM_AFTER", "PROGRAM_EVERY", "Download", "Work", "say"]

CONSOLE: Final = "/dev/console"
INITRAMFS: Final = "/etc/initrd-release"
"""Only an initramfs has it; elsewhere the console is somebody's terminal."""

DOWNLOAD_AFTER: Final = 10.0
DOWNLOAD_EVERY: Final = 60.0
PROGRAM_AFTER: Final = 10.0
PROGRAM_EVERY: Final = 30.0
"""All in seconds."""

_MIB: Final = 2**20
_ERASE_LINE: Final = "\r\x1b[K"
"""systemd's moving line about the job that runs may stand there."""


def say(text: str) -> None:
    """Log the text as information, without delay, and show it on the console of a boot."""
    with log.hold_lines() as lines:
        log.info(text)
    log.release(lines)
    if os.path.exists(INITRAMFS):
        _show(text)


def _show(text: str) -> None:
    """A console that is missing or does not take anything must not stop a boot."""
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
    """Says from time to time how far a download has come.

    `what` names it without secrets; `now` gives the seconds since some moment.
    """

    def __init__(self, what: str, now: Callable[[], float]) -> None:
        self._what = what
        self._now = now
        self._said_at = now()
        self._said = 0
        self._interval = DOWNLOAD_AFTER

    def at(self, received: int, size: int | None = None) -> None:
        """So many bytes are here, of `size` if that is known."""
        passed = self._now() - self._said_at
        if passed < self._interval:
            return
        self._interval = min(2 * self._interval, DOWNLOAD_EVERY)
        new = received - self._said if received >= self._said else received
        of = "" if size is None else f" of {size / _MIB:.1f}"
        say(f"{self._what}: {received / _MIB:.1f}{of} MiB, {_rate(new / passed)}")
        self._said_at, self._said = self._now(), received


def _rate(speed: float) -> str:
    """Bytes a second, as one reads them."""
    return f"{speed / _MIB:.1f} MiB/s" if speed >= _MIB else f"{speed / 1024:.0f} KiB/s"


class Work:
    """Says of a piece of work that it still goes on: "still creating ext4 on /dev/vdb1 (40 s)".

    `now` gives the seconds since some moment.
    """

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now = now
        self._start = now()
        self._next = PROGRAM_AFTER

    def patience(self) -> float:
        """Seconds until there is something to say."""
        return max(0.0, self._next - self._passed())

    def still(self) -> None:
        """Say it; the work was not over in time."""
        passed = self._passed()
        say(f"still {self._what} ({passed:.0f} s)")
        self._next = passed + PROGRAM_EVERY

    def _passed(self) -> float:
        return self._now() - self._start
