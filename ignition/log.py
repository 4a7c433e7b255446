"""The log: what is being done, as it is done. Nothing secret passes it.

Lines carry a prefix that says where one is: the stage, the step, the operation,
as the reference writes them (engine.md section 10):

    disks: partitions: op(1): [started]  partitioning /dev/vdb

The prefix belongs to the context, so work that goes on side by side keeps its
lines apart; `collected` holds the lines of such work back until they are due.

In a program that uses this one as a library, the lines go to Python's logger
`ignition`. A stage logs two lines for each of thousands of files, and calls `setup`:
its lines take no detour, and Python's logging is not even imported.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ignition.diagnostics import Report, Severity
from ignition.errors import text_of
from ignition.text import printable

__all__ = [
    "NOTICE", "Syslog", "collected", "critical", "debug", "error", "info", "journal", "notice", "prefix",
    "release", "report", "setup", "step", "told", "unset", "warning",
]  # fmt: skip

DEBUG: Final = 10
INFO: Final = 20
NOTICE: Final = 25
WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50
"""Levels are numbered as in Python's logging, which has no notice."""

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
"""Level → the label of the stdout form and the syslog priority."""

Line = tuple[int, str]
Sink = Callable[[int, str], None]
"""Takes the level and the text of a line."""

_prefixes: ContextVar[tuple[str, ...]] = ContextVar("prefixes", default=())
_held_back: ContextVar[list[Line] | None] = ContextVar("held_back", default=None)
_operations: Final = itertools.count(1)
_unreachable: Final[set[str]] = set()
"""Sockets of journals of which it has been said that they cannot be reached; once is enough."""


def setup(*, to_stdout: bool) -> None:
    """Send the log to stdout, or to syslog as the reference does when it can be reached."""
    unset()
    stdout = _write_out if sys.stdout is not None else _say_nothing
    _send_to((None if to_stdout else _syslog()) or stdout)


def unset() -> None:
    """Send the log to Python's logger again."""
    if isinstance(_sink, Syslog):
        _sink.close()
    _send_to(_pass_on)


def _send_to(sink: Sink) -> None:
    global _sink
    _sink = sink


def _pass_on(level: int, text: str) -> None:
    """To Python's logger `ignition`, with whatever handlers the program has given it."""
    import logging

    logging.getLogger("ignition").log(level, "%s", text)


_sink: Sink = _pass_on


def _write_out(level: int, text: str) -> None:
    """`INFO     : text`, the label padded to nine characters, to be seen at once.

    When nobody reads on, or there is no room for it, the work goes on without.
    """
    try:
        sys.stdout.write(f"{_LABELS[level][0]:<9}: {text}\n")
        sys.stdout.flush()
    except OSError:
        # What the stream still holds must go somewhere, or the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say_nothing(level: int, text: str) -> None:
    """There is no stdout."""


class Syslog:
    """The classic datagram to the local syslog socket, facility kern."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._process = os.getpid()

    def __call__(self, level: int, text: str) -> None:
        """Send one message; one that cannot be sent goes to stderr, and stops no boot."""
        priority = KERNEL_FACILITY * 8 + _LABELS[level][1]
        message = f"<{priority}>{time.strftime('%b %e %H:%M:%S')} ignition[{self._process}]: {text}"
        try:
            self._connection.send(message.encode("utf-8", "replace"))
        except OSError:
            sys.stderr.write(f"{text}\n")

    def close(self) -> None:
        """Let the socket go."""
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
    """What only someone who looks for a fault wants to see."""
    _emit(DEBUG, text)


def info(text: str) -> None:
    """What is being done; the highest level that a passing run reaches."""
    _emit(INFO, text)


def notice(text: str) -> None:
    """Unusual, but in order."""
    _emit(NOTICE, text)


def warning(text: str) -> None:
    """Probably not what the user meant."""
    _emit(WARNING, text)


def error(text: str) -> None:
    """Wrong, and the run goes on."""
    _emit(ERROR, text)


def critical(text: str) -> None:
    """Wrong, and the run ends."""
    _emit(CRITICAL, text)


def report(entries: Report) -> None:
    """Each entry of a config's report at the level of its severity."""
    levels = {
        Severity.ERROR: CRITICAL,
        Severity.WARNING: WARNING,
        Severity.INFO: INFO,
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

    An error is logged once, here, by the innermost step that it passes. The text may hold paths of
    the config: none of them makes a line of its own.
    """
    text = printable(text)
    with prefix(f"op({next(_operations):x})"):
        info(f"[started]  {text}")
        try:
            yield
        except Exception as caught:
            if not getattr(caught, "logged", False):
                critical(f"[failed]   {text}: {text_of(caught)}")
            told(caught)
            raise
        info(f"[finished] {text}")


def told(error: Exception) -> None:
    """Say of an error that the log has it; no step that it passes logs it again."""
    error.logged = True  # type: ignore[attr-defined]  # whatever kind it is of


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
        _sink(level, text)


def journal(message: str, fields: Mapping[str, str]) -> None:
    """Send one entry with fields to the journal; without a journal nothing happens, which is said once.

    Protocol: systemd's native journal protocol. Values are single lines.
    """
    entry = {"MESSAGE": message, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "ignition", **fields}
    data = "".join(f"{key}={value}\n" for key, value in entry.items() if "\n" not in value)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        try:
            connection.sendto(data.encode(), JOURNAL_SOCKET)
        except OSError as caught:
            if JOURNAL_SOCKET not in _unreachable:
                info(f"the journal cannot be reached: {caught.strerror}")
            _unreachable.add(JOURNAL_SOCKET)


def _emit(level: int, text: str) -> None:
    line = ": ".join((*_prefixes.get(), text))
    if not line.isprintable():
        line = "\n".join(map(printable, line.split("\n")))
    held_back = _held_back.get()
    if held_back is None:
        _sink(level, line)
    else:
        held_back.append((level, line))
