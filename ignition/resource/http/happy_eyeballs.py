"""A TCP connection to a host: look the name up, then let its addresses race.

A name with an IPv6 and an IPv4 address is common, a first-boot network on which
only one of them works is too. So the next address is tried a quarter of a second
after the one before, or at once when that one failed, and the first connection
that stands is taken (RFC 8305).
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Final

from ignition.resource.http.deadline_socket import DeadlineSocket

__all__ = ["ConnectFailed", "Endpoint", "NoSuchHost", "Race", "dial", "endpoints"]

STAGGER: Final = 0.25
"""Seconds before the next address is tried beside the ones under way (RFC 8305, section 5)."""

KEEPALIVE: Final = 30
"""Seconds of silence before TCP asks whether the other side still lives (engine.md 7.1)."""


class NoSuchHost(OSError):
    """The name, which is `filename`, cannot be looked up; `errno` is the resolver's code."""


class ConnectFailed(OSError):
    """None of the addresses took the connection; `attempts` says why, one by one.

    `filename` is the host, if it is known.
    """

    def __init__(self, attempts: tuple[tuple[Endpoint, OSError], ...]) -> None:
        _, first = attempts[0]
        super().__init__(first.errno, first.strerror)
        self.attempts = attempts


@dataclass(frozen=True)
class Endpoint:
    """One address to connect to, as the resolver gives it."""

    family: int
    address: tuple[Any, ...]

    def __str__(self) -> str:
        return str(self.address[0])


def dial(host: str, port: int, timeout: float) -> DeadlineSocket:
    """A connected socket; `host` is ASCII: a name, or an address without brackets, perhaps with a zone.

    Raises:
        NoSuchHost: the name cannot be looked up.
        ConnectFailed: no address took the connection within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    try:
        connection = Race(end).run(endpoints(host, port, timeout))
    except ConnectFailed as failed:
        failed.filename = host
        raise
    connection.settimeout(timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE)
    return connection


def endpoints(host: str, port: int, timeout: float) -> tuple[Endpoint, ...]:
    """The host's addresses, the families taking turns, the resolver's favourite first.

    The resolver keeps its own time and cannot be interrupted, so it works in a
    thread that is left behind when it takes too long.
    """
    if _is_address(host):
        return _resolve(host, port)
    answer: list[tuple[Endpoint, ...] | BaseException] = []

    def ask() -> None:
        try:
            answer.append(_resolve(host, port))
        except BaseException as caught:  # noqa: BLE001 (handed to the thread that asked)
            answer.append(caught)

    asking = threading.Thread(target=ask, name=f"look up {host}", daemon=True)
    asking.start()
    asking.join(min(timeout, threading.TIMEOUT_MAX))
    match answer:
        case []:
            raise NoSuchHost(socket.EAI_AGAIN, "the resolver did not answer", host)
        case [BaseException() as caught]:
            raise caught
        case [tuple(found)]:
            return found
    raise AssertionError(answer)


@dataclass
class Race:
    """Connects to several addresses at once, each new one `stagger` seconds after the last.

    `end` is the monotonic time by which a connection must stand.
    """

    end: float
    stagger: float = STAGGER
    _failures: list[tuple[Endpoint, OSError]] = field(default_factory=list)
    _running: dict[DeadlineSocket, Endpoint] = field(default_factory=dict)

    def run(self, candidates: tuple[Endpoint, ...]) -> DeadlineSocket:
        """The first connection that stands; all others are closed.

        Raises:
            ConnectFailed: there is none.
        """
        waiting = deque(candidates)
        try:
            while waiting or self._running:
                if waiting:
                    self._start(waiting.popleft())
                left = max(0.0, self.end - time.monotonic())
                winner = self._wait(min(self.stagger, left) if waiting else left)
                if winner is not None:
                    return winner
                if time.monotonic() >= self.end:
                    self._fail_all(errno.ETIMEDOUT)
                    break
        finally:
            for connection in self._running:
                connection.close()
        raise ConnectFailed(tuple(self._failures))

    def _start(self, endpoint: Endpoint) -> None:
        try:
            connection = DeadlineSocket(endpoint.family, socket.SOCK_STREAM)
        except OSError as caught:
            self._failures.append((endpoint, caught))
            return
        self._running[connection] = endpoint
        connection.setblocking(False)
        try:
            with suppress(BlockingIOError):
                connection.connect(endpoint.address)
        except OSError as caught:
            self._lost(connection, caught)

    def _wait(self, patience: float) -> DeadlineSocket | None:
        """Let the running ones go on for a while; returns the winner once there is one."""
        if not self._running:
            return None
        with selectors.DefaultSelector() as selector:
            for connection in self._running:
                selector.register(connection, selectors.EVENT_WRITE, connection)
            ready = [key.data for key, _ in selector.select(patience)]
        for connection in ready:
            status = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if status == 0:
                del self._running[connection]
                return connection  # type: ignore[no-any-return]
            self._lost(connection, _os_error(status))
        return None

    def _lost(self, connection: DeadlineSocket, why: OSError) -> None:
        connection.close()
        self._failures.append((self._running.pop(connection), why))

    def _fail_all(self, status: int) -> None:
        for connection in tuple(self._running):
            self._lost(connection, _os_error(status))


def _resolve(host: str, port: int) -> tuple[Endpoint, ...]:
    # As bytes: given text, the interpreter loads its codec for international names with all its tables.
    name = host.encode("ascii")
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as caught:
        raise NoSuchHost(caught.errno, caught.strerror, host) from caught
    answers = [Endpoint(family, address) for family, _, _, _, address in found]
    favourite = [each for each in answers if each.family == answers[0].family]
    others = [each for each in answers if each.family != answers[0].family]
    turns = chain.from_iterable(zip_longest(favourite, others))
    return tuple(each for each in turns if each is not None)


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


def _os_error(status: int) -> OSError:
    return OSError(status, os.strerror(status))
