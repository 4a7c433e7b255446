# SPDX-License-Identifier: Apache-2.0
"""The log of a stage, to syslog, the journal or stdout. Callers never pass secrets.

Each line starts with its stage, step and operation (docs/reference/stages.md, "Logging"):

    disks: partitions: op(1): [started]  partitioning /dev/vdb

The prefix is a part of the run context, so parallel work keeps its lines apart;
`hold_lines` delays the lines of such work until `release`.

A program that uses this package as a library gets the lines from Python's logger
`ignition`. A stage calls `setup` instead: it logs two lines for each of thousands of
files, and Python's logging costs time and is not imported.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from ignition import runcontext
from ignition.diagnostics import Report, Severity
from ignition.errors import text_of
from ignition.text import printable, strerror

__all__ = [
    "NOTICE", "Syslog", "critical", "debug", "error", "hold_lines", "info", "journal", "mark_logged",
    "notice", "prefix", "release", "report", "setup", "step", "unset", "warning",
]  # fmt: skip

DEBUG: Final = 10
INFO: Final = 20
NOTICE: Final = 25
WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50
"""Python's numbers for levels; Python's logging has no notice."""

SYSLOG_SOCKETS: Final = ("/dev/log", "/var/run/syslog", "/var/run/log")
JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
KERNEL_FACILITY: Final = 0

_LABELS: Final = {
    DEBUG: ("DEBUG", 7),
    INFO: ("INFO", 6),
    NOTICE: ("NOTICE", 5),
    WARNING: ("WARNING", 4),
    ERROR: ("ERROR", 3),
    CRITICAL: ("CRITICAL", 2),
}
"""Level → label on stdout, syslog priority."""

Line = tuple[int, str]
Sink = Callable[[int, str], None]
"""Writes one line, given its level and text."""

_operations: Final = itertools.count(1)
_unreachable: Final[set[str]] = set()
"""Journal sockets whose failure has been logged."""


def setup(*, to_stdout: bool) -> None:
    """Send the log to stdout, or to syslog where a syslog socket accepts connections."""
    unset()
    stdout = _write_out if sys.stdout is not None else _discard
    _send_to((None if to_stdout else _syslog()) or stdout)


def unset() -> None:
    """Send the log to Python's logger again, which is the default."""
    if isinstance(_sink, Syslog):
        _sink.close()
    _send_to(_pass_on)


def _send_to(sink: Sink) -> None:
    global _sink
    _sink = sink


def _pass_on(level: int, text: str) -> None:
    """Hand the line to Python's logger `ignition`."""
    import logging

    logging.getLogger("ignition").log(level, "%s", text)


_sink: Sink = _pass_on


def _write_out(level: int, text: str) -> None:
    """Write `INFO     : text`, the label padded to nine characters, and flush.

    A closed pipe or a full disk does not stop the work; later lines are dropped.
    """
    try:
        sys.stdout.write(f"{_LABELS[level][0]:<9}: {text}\n")
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes the stream when it exits and would report the error again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _discard(level: int, text: str) -> None:
    """Drop the line; used where stdout is closed."""


class Syslog:
    """Send lines as RFC 3164 datagrams to the local syslog socket, facility kern."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._process = os.getpid()

    def __call__(self, level: int, text: str) -> None:
        """Send one line; a failure writes the line to stderr instead and never stops a boot."""
        priority = KERNEL_FACILITY * 8 + _LABELS[level][1]
        message = f"<{priority}>{time.strftime('%b %e %H:%M:%S')} ignition[{self._process}]: {text}"
        try:
            self._connection.send(message.encode("utf-8", "replace"))
        except OSError:
            sys.stderr.write(f"{text}\n")

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()


def _syslog() -> Syslog | None:
    for path in SYSLOG_SOCKETS:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
        else:
            return Syslog(connection)
    return None


def debug(text: str) -> None:
    """Log detail for debugging."""
    _emit(DEBUG, text)


def info(text: str) -> None:
    """Log progress; a successful run logs nothing above this level."""
    _emit(INFO, text)


def notice(text: str) -> None:
    """Log something unusual that is not a fault."""
    _emit(NOTICE, text)


def warning(text: str) -> None:
    """Log a probable mistake."""
    _emit(WARNING, text)


def error(text: str) -> None:
    """Log a fault after which the run continues."""
    _emit(ERROR, text)


def critical(text: str) -> None:
    """Log the fault that ends the run."""
    _emit(CRITICAL, text)


def report(entries: Report) -> None:
    """Log each entry of a config's report at the level of its severity."""
    levels = {
        Severity.ERROR: CRITICAL,
        Severity.WARNING: WARNING,
        Severity.INFO: INFO,
    }
    for entry in entries:
        _emit(levels[entry.severity], str(entry))


@contextmanager
def prefix(name: str) -> Iterator[None]:
    """Put `name` before each line logged inside the block."""
    context = runcontext.current()
    with runcontext.entered(context._replace(prefixes=(*context.prefixes, name))):
        yield


@contextmanager
def step(text: str) -> Iterator[None]:
    """Log the start and the end of one numbered operation.

    The innermost operation that an error passes logs it; outer ones do not log it again. `text` may
    contain paths from the config; control characters in it are escaped.
    """
    text = printable(text)
    with prefix(f"op({next(_operations):x})"):
        info(f"[started]  {text}")
        try:
            yield
        except Exception as caught:
            if not getattr(caught, "logged", False):
                critical(f"[failed]   {text}: {text_of(caught)}")
            mark_logged(caught)
            raise
        info(f"[finished] {text}")


def mark_logged(error: Exception) -> None:
    """Mark an exception as logged so that outer operations do not log it again."""
    error.logged = True  # type: ignore[attr-defined]  # any exception class takes the attribute


@contextmanager
def hold_lines() -> Iterator[list[Line]]:
    """Collect the lines logged inside the block; pass the list to `release` to log them."""
    lines: list[Line] = []
    with runcontext.entered(runcontext.current()._replace(held_lines=lines)):
        yield lines


def release(lines: list[Line]) -> None:
    """Log lines that `hold_lines` collected."""
    for level, text in lines:
        _sink(level, text)


def journal(message: str, fields: Mapping[str, str]) -> None:
    """Send one entry with fields to the journal; the first failure is logged, later ones are ignored.

    Values that contain a newline are left out. Protocol: systemd's native journal protocol
    (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
    """
    entry = {"MESSAGE": message, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "ignition", **fields}
    data = "".join(f"{key}={value}\n" for key, value in entry.items() if "\n" not in value)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        try:
            connection.sendto(data.encode(), JOURNAL_SOCKET)
        except OSError as caught:
            if JOURNAL_SOCKET not in _unreachable:
                info(f"cannot send to the journal: {strerror(caught)}")
            _unreachable.add(JOURNAL_SOCKET)


def _emit(level: int, text: str) -> None:
    context = runcontext.current()
    line = ": ".join((*context.prefixes, text))
    if not line.isprintable():
        line = "\n".join(map(printable, line.split("\n")))
    if context.held_lines is None:
        _sink(level, line)
    else:
        context.held_lines.append((level, line))
