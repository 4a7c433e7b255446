# SPDX-License-Identifier: Apache-2.0
"""A proxy on loopback that ends each tunnel at a local server, with a certificate for any host.

The code under test connects to public host names over TLS without any change. Its config names this proxy and
the certificate authority of the test.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["Internet"]

HEAD_END = b"\r\n\r\n"
PIECE = 65536


class Internet:
    """Context manager that starts and stops the proxy.

    `route` maps a host to the port of a local server; `tls` contains the certificate for all hosts. `asked`
    lists the hosts of all tunnels.
    """

    def __init__(self, tls: ssl.SSLContext, route: Callable[[str], int]) -> None:
        self.asked: list[str] = []
        self._tls = tls
        self._route = route
        self._ending = threading.Event()
        self._talks: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self._thread = threading.Thread(target=self._accept)

    @property
    def url(self) -> str:
        """URL of the proxy."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        for talk in self._talks:
            talk.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._talks.append(threading.Thread(target=self._talk, args=(connection,)))
            self._talks[-1].start()

    def _talk(self, connection: socket.socket) -> None:
        # Tests include clients that close the connection or do not trust the certificate.
        with connection, suppress(ConnectionError, ssl.SSLError, TimeoutError):
            connection.settimeout(10)
            host = self._asked_for(connection)
            self.asked.append(host)
            connection.sendall(b"HTTP/1.1 200 Connection established" + HEAD_END)
            with (
                self._tls.wrap_socket(connection, server_side=True) as client,
                socket.create_connection(("127.0.0.1", self._route(host))) as server,
            ):
                self._relay(client, server)

    def _asked_for(self, connection: socket.socket) -> str:
        head = b""
        while HEAD_END not in head:
            more = connection.recv(PIECE)
            if not more:
                raise ConnectionResetError("the client ended")
            head += more
        verb, target, _ = head.decode("ascii").split(maxsplit=2)
        assert verb == "CONNECT", head
        return target.rpartition(":")[0]

    def _relay(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        """Relay data in both directions until one side closes."""
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (client, server))
            selector.register(server, selectors.EVENT_READ, (server, client))
            while not self._ending.is_set():
                for key, _ in selector.select(0.02):
                    source, target = key.data
                    data = source.recv(PIECE)
                    if not data:
                        return
                    target.sendall(data)
                    while isinstance(source, ssl.SSLSocket) and source.pending():
                        target.sendall(source.recv(PIECE))
