"""The log: what is being done, as it is done. Nothing secret passes it.

Lines carry a prefix that says where one is: the stage, the step, the operation,
as the reference writes them (engine.md section 10):

    disks: partitions: op(1): [started]  partitioning /dev/vdb

The prefix belongs to the context, so work that goes on side by side keeps its
lines apart; `collected` holds the lines of such work back until they are due.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ignition.report import Report, Severity

__all__ = [
    "NOTICE", "collected", "critical", "debug", "error", "info", "journal", "notice", "prefix",
    "release", "report", "setup", "step", "warning",
]  # fmt: skip

NOTICE: Final = 25
SYSLOG_SOCKETS: Final = ("/dev/log", "/var/run/syslog", "/var/run/log")
JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
KERNEL_FACILITY: Final = 0

_LABELS: Final = {
    logging.DEBUG: ("DEBUG", 7),
    logging.INFO: ("INFO", 6),
    NOTICE: ("NOTICE", 5),
    logging.WARNING: ("WARNING", 4),
    logging.ERROR: ("ERROR", 3),
    logging.CRITICAL: ("CRITICAL", 2),
}
"""Level → the label of the stdout form and the syslog priority."""

Line = tuple[int, str]

_logger: Final = logging.getLogger("ignition")
_prefixes: ContextVar[tuple[str, ...]] = ContextVar("prefixes", default=())
_held_back: ContextVar[list[Line] | None] = ContextVar("held_back", default=None)
_operations: Final = itertools.count(1)


def setup(*, to_stdout: bool) -> None:
    """Send the log to stdout, or to syslog as the reference does when it can be reached."""
    _logger.setLevel(logging.DEBUG)
    _logger.propagate = False
    for old in list(_logger.handlers):
        _logger.removeHandler(old)
    _logger.addHandler(StdoutHandler() if to_stdout else _syslog_or_stdout())


class StdoutHandler(logging.Handler):
    """`INFO     : text`, the label padded to nine characters."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line and let it be seen at once."""
        label = _LABELS[record.levelno][0]
        sys.stdout.write(f"{label:<9}: {record.getMessage()}\n")
        sys.stdout.flush()


class SyslogHandler(logging.Handler):
    """The classic datagram to the local syslog socket, facility kern."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send one message; a log that cannot be written must not stop a boot."""
        priority = KERNEL_FACILITY * 8 + _LABELS[record.levelno][1]
        stamp = time.strftime("%b %e %H:%M:%S")
        message = f"<{priority}>{stamp} ignition[{os.getpid()}]: {record.getMessage()}"
        try:
            self._connection.send(message.encode("utf-8", "replace"))
        except OSError:
            self.handleError(record)


def _syslog_or_stdout() -> logging.Handler:
    for path in SYSLOG_SOCKETS:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
        else:
            return SyslogHandler(connection)
    return StdoutHandler()


def debug(text: str) -> None:
    """What only someone who looks for a fault wants to see."""
    _emit(logging.DEBUG, text)


def info(text: str) -> None:
    """What is being done; the highest level that a passing run reaches."""
    _emit(logging.INFO, text)


def notice(text: str) -> None:
    """Unusual, but in order."""
    _emit(NOTICE, text)


def warning(text: str) -> None:
    """Probably not what the user meant."""
    _emit(logging.WARNING, text)


def error(text: str) -> None:
    """Wrong, and the run goes on."""
    _emit(logging.ERROR, text)


def critical(text: str) -> None:
    """Wrong, and the run ends."""
    _emit(logging.CRITICAL, text)


def report(entries: Report) -> None:
    """Each entry of a config's report at the level of its severity."""
    levels = {
        Severity.ERROR: logging.CRITICAL,
        Severity.WARNING: logging.WARNING,
        Severity.INFO: logging.INFO,
    }
    for entry in entries:
        _emit(levels[entry.severity], str(entry))


@contextmanager
def prefix(name: str) -> Iterator[None]:
    """Put `name` before each line logged inside."""
    token = _prefixes.set((*_prefixes.get(), name))
    try:
        yield
    finally:
        _prefixes.reset(token)


@contextmanager
def step(text: str) -> Iterator[None]:
    """One numbered operation: says when it starts and how it ends.

    An error is logged once, here, by the innermost step that it passes.
    """
    with prefix(f"op({next(_operations):x})"):
        info(f"[started]  {text}")
        try:
            yield
        except Exception as caught:
            if not getattr(caught, "logged", False):
                critical(f"[failed]   {text}: {caught}")
                caught.logged = True  # type: ignore[attr-defined]
            raise
        info(f"[finished] {text}")


@contextmanager
def collected() -> Iterator[list[Line]]:
    """Hold back the lines logged inside; hand the list to `release` when they are due."""
    lines: list[Line] = []
    token = _held_back.set(lines)
    try:
        yield lines
    finally:
        _held_back.reset(token)


def release(lines: list[Line]) -> None:
    """Log lines that `collected` held back."""
    for level, text in lines:
        _send(level, text)


def journal(message: str, fields: Mapping[str, str]) -> None:
    """Send one entry with fields to the journal; without a journal nothing happens.

    Protocol: systemd's native journal protocol. Values are single lines.
    """
    entry = {"MESSAGE": message, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "ignition", **fields}
    data = "".join(f"{key}={value}\n" for key, value in entry.items() if "\n" not in value)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        try:
            connection.sendto(data.encode(), JOURNAL_SOCKET)
        except OSError as caught:
            info(f"the journal cannot be reached: {caught.strerror}")


def _emit(level: int, text: str) -> None:
    line = ": ".join((*_prefixes.get(), text))
    held_back = _held_back.get()
    if held_back is None:
        _send(level, line)
    else:
        held_back.append((level, line))


def _send(level: int, line: str) -> None:
    _logger.log(level, "%s", line)
