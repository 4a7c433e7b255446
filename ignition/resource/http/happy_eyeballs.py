# SPDX-License-Identifier: Apache-2.0
"""TCP connections to a host by name: Happy Eyeballs (RFC 8305).

Many hosts have an IPv6 and an IPv4 address, and on many first-boot networks only one of them works. So a
connection to the next address starts 250 ms after the previous one, or immediately if that one failed, and
the first established connection is used.
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
"""Seconds before a connection to the next address is started in parallel (RFC 8305, section 5)."""

KEEPALIVE: Final = 30
"""Idle seconds before TCP keepalive probes, and seconds between them, as in the reference; tcp(7)."""


class NoSuchHost(OSError):
    """The name lookup failed; `filename` is the name, `errno` the resolver's code (getaddrinfo(3))."""


class ConnectFailed(OSError):
    """No address could be connected to.

    Attributes:
        attempts: each address with its error; never empty.
        filename: the host; None if not known.
    """

    def __init__(self, attempts: tuple[tuple[Endpoint, OSError], ...]) -> None:
        _, first = attempts[0]
        super().__init__(first.errno, first.strerror)
        self.attempts = attempts


@dataclass(frozen=True)
class Endpoint:
    """An address to connect to: address family and socket address of getaddrinfo(3)."""

    family: int
    address: tuple[Any, ...]

    def __str__(self) -> str:
        return str(self.address[0])


def dial(host: str, port: int, timeout: float) -> DeadlineSocket:
    """Return a connected socket; `host` is an ASCII name, or an address without brackets.

    Raises:
        NoSuchHost: the name lookup failed.
        ConnectFailed: no connection was established within `timeout` seconds.
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
    """Look up the addresses of a host; the address families alternate, the resolver's first one first.

    getaddrinfo(3) has its own timeouts and cannot be interrupted, so it runs in a thread, which is abandoned
    after `timeout` seconds.

    Raises:
        NoSuchHost: the name lookup failed or timed out.
    """
    if _is_address(host):
        return _resolve(host, port)
    answer: list[tuple[Endpoint, ...] | BaseException] = []

    def look_up() -> None:
        try:
            answer.append(_resolve(host, port))
        except BaseException as caught:  # noqa: BLE001 (raised again in the calling thread)
            answer.append(caught)

    thread = threading.Thread(target=look_up, name=f"look up {host}", daemon=True)
    thread.start()
    thread.join(min(timeout, threading.TIMEOUT_MAX))
    match answer:
        case []:
            raise NoSuchHost(socket.EAI_AGAIN, "the resolver did not answer", host)
        case [BaseException() as caught]:
            raise caught
        case [tuple(addresses)]:
            return addresses
    raise AssertionError(answer)


@dataclass
class Race:
    """Connects to several addresses in parallel, started at intervals of `stagger` seconds.

    `end` is the deadline in seconds of `time.monotonic`.
    """

    end: float
    stagger: float = STAGGER
    _failures: list[tuple[Endpoint, OSError]] = field(default_factory=list)
    _running: dict[DeadlineSocket, Endpoint] = field(default_factory=dict)

    def run(self, candidates: tuple[Endpoint, ...]) -> DeadlineSocket:
        """Return the first established connection; all others are closed.

        Raises:
            ConnectFailed: no connection was established.
        """
        pending = deque(candidates)
        try:
            while pending or self._running:
                if pending:
                    self._start(pending.popleft())
                left = max(0.0, self.end - time.monotonic())
                winner = self._wait(min(self.stagger, left) if pending else left)
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
            self._fail(connection, caught)

    def _wait(self, patience: float) -> DeadlineSocket | None:
        """Wait up to `patience` seconds; return an established connection, or None."""
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
            self._fail(connection, _os_error(status))
        return None

    def _fail(self, connection: DeadlineSocket, error: OSError) -> None:
        connection.close()
        self._failures.append((self._running.pop(connection), error))

    def _fail_all(self, status: int) -> None:
        for connection in tuple(self._running):
            self._fail(connection, _os_error(status))


def _resolve(host: str, port: int) -> tuple[Endpoint, ...]:
    # As bytes: for a str, the interpreter imports its IDNA codec with large tables.
    name = host.encode("ascii")
    try:
        results = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as caught:
        raise NoSuchHost(caught.errno, caught.strerror, host) from caught
    addresses = [Endpoint(family, address) for family, _, _, _, address in results]
    preferred = [each for each in addresses if each.family == addresses[0].family]
    others = [each for each in addresses if each.family != addresses[0].family]
    alternating = chain.from_iterable(zip_longest(preferred, others))
    return tuple(each for each in alternating if each is not None)


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


def _os_error(status: int) -> OSError:
    return OSError(status, os.strerror(status))
