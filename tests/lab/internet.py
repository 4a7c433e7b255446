"""The internet on loopback: a proxy that ends every tunnel at a local server, with a certificate for it.

Code under test speaks to the names that it would speak to in the world, over TLS, without
any seam of its own: it only has to be told of this proxy and of the test's authority.
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
    """A context manager that starts and ends the proxy.

    `route` gives the port of the local server that stands for a host; `tls` has the
    certificate that is shown for all of them. `asked` holds the hosts of all tunnels.
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
        """The proxy's address."""
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
        # Clients that go away, or do not trust the certificate, are what the tests are about.
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
        """Pass on what comes from either side, until one of them ends."""
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
