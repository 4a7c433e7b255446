# SPDX-License-Identifier: Apache-2.0
"""Single HTTP exchanges over requests, without retries and redirects; all statuses are returned.

requests is used at its transport adapter, the layer below sessions. Sessions add proxies of the environment,
netrc, cookies, redirects that keep headers, and decoding, none of which is wanted here. This module imports
requests, so it is imported only on use (`client._load`).
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from math import isinf
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import SystemTimeWarning

from ignition.resource.diagnosis import ExchangeFailed
from ignition.resource.http.deadline_socket import DeadlineSocket
from ignition.resource.http.happy_eyeballs import dial
from ignition.resource.stream import PIECE

if TYPE_CHECKING:
    import ssl

__all__ = ["Reply", "Transport"]

HANDSHAKE: Final = 10.0
"""TLS handshake timeout in seconds; docs/reference/fetching.md, "HTTP and HTTPS"."""

SHORTEST: Final = 0.001
"""Shortest timeout in seconds; 0 would make a socket non-blocking."""

CONNECTIONS: Final = 16
"""Idle connections kept open per server."""

CONTINUE: Final = 100
SWITCHING_PROTOCOLS: Final = 101
FINAL: Final = 200

_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Reply:
    """A response whose body has not been read; a context manager that closes it."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._raw: urllib3.HTTPResponse = response.raw
        connection = self._raw.connection
        self._socket = connection.last_socket if isinstance(connection, _Timed) else None

    def chunks(self, patience: Callable[[], float]) -> Iterator[bytes]:
        """Yield the body without decoding; `patience` returns the timeout in seconds for the next piece.

        Raises:
            ExchangeFailed: the body was interrupted, or the timeout expired.
        """
        while True:
            try:
                self._set_read_timeout(max(SHORTEST, patience()))
                chunk = self._raw.read1(PIECE, decode_content=False)
            except _FAILURES as caught:
                raise ExchangeFailed from caught
            if not chunk:
                return
            yield chunk

    def _set_read_timeout(self, seconds: float) -> None:
        if isinstance(self._socket, DeadlineSocket):
            self._socket.deadline = time.monotonic() + seconds
        # With "Connection: close", the socket may already be closed and the rest of the body is buffered.
        elif self._socket is not None and self._socket.fileno() >= 0:
            self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the response; if its body was read to the end, the connection is kept open for reuse."""
        self._raw.close()

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport:
    """HTTP exchanges over pooled connections. Thread-safe.

    `context` creates the TLS context; it is called for the first TLS connection.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        # A wrong clock is reported with the certificate error (`diagnosis`), not as urllib3's warning.
        urllib3.disable_warnings(SystemTimeWarning)
        self._adapter = _Adapter(context)

    def send(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        proxy: str,
        connect: float,
        headers_within: float,
    ) -> Reply:
        """Send one request and return the response when its headers are received.

        `url` has no userinfo and no fragment; headers are sent unchanged. `connect` and `headers_within` are
        timeouts in seconds; the latter may be infinite.

        Raises:
            ExchangeFailed: the connection failed, or no response was received.
        """
        request = requests.PreparedRequest()
        request.method, request.url, request.body = verb, url, body
        request.headers = CaseInsensitiveDict(headers)
        proxies = {url.partition(":")[0]: proxy} if proxy else {}
        limit = urllib3.Timeout(
            connect=max(SHORTEST, connect),
            read=None if isinf(headers_within) else max(SHORTEST, headers_within),
        )
        try:
            return Reply(self._adapter.send(request, stream=True, timeout=limit, proxies=proxies))  # type: ignore[arg-type]
        except _FAILURES as caught:
            raise ExchangeFailed from caught


class _Adapter(HTTPAdapter):
    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._create_context = context
        self._tls_context: ssl.SSLContext | None = None
        self._lock = Lock()
        super().__init__(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def _context(self) -> ssl.SSLContext:
        """Return the shared TLS context: creating one is slow, and connections are reused only within it."""
        with self._lock:
            if self._tls_context is None:
                self._tls_context = self._create_context()
            return self._tls_context

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        if proxy.startswith("https:"):
            options["proxy_ssl_context"] = self._context()
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> Any:
        host = super().build_connection_pool_key_attributes(request, verify=True)[0]
        if ":" in host["host"]:
            host["host"] = f"[{host['host']}]"  # urllib3 rejects a zone without brackets
        if host["scheme"] != "https":
            return host, {}
        return host, {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context()}

    def cert_verify(self, *_: object) -> None:
        """Do nothing: the TLS context of the pool already has the trust anchors."""


class _FinalResponse(http.client.HTTPResponse):
    """Skips all interim responses, such as 103 (RFC 9110 section 15.2); http.client skips only 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        is_interim = SWITCHING_PROTOCOLS < status < FINAL
        return version, CONTINUE if is_interim else status, reason


class _Timed(HTTPConnection):
    """Connects with `dial`, and applies the read timeout to the headers as a whole, not to each read."""

    response_class = _FinalResponse
    last_socket: Any = None

    def _new_conn(self) -> DeadlineSocket:
        return dial(self._dns_host, self.port, self._limit)

    @property
    def _limit(self) -> float:
        """The current timeout of the connection in seconds."""
        return self.timeout if isinstance(self.timeout, (int, float)) else HANDSHAKE

    def getresponse(self) -> Any:
        self.last_socket = connection = self.sock
        if not isinstance(connection, DeadlineSocket):  # TLS within the TLS of a proxy
            return super().getresponse()
        connection.deadline = None if self.timeout is None else time.monotonic() + self.timeout
        response = super().getresponse()
        connection.deadline = None
        return response


class _TimedTls(_Timed, HTTPSConnection):
    """The same over TLS, directly or through a proxy's tunnel (CONNECT)."""

    def _new_conn(self) -> DeadlineSocket:
        connection = super()._new_conn()
        connection.settimeout(min(HANDSHAKE, self._limit))
        return connection

    def _tunnel(self) -> None:
        # The proxy has to connect to the server, so the connect timeout applies.
        connection: Any = self.sock
        connection.deadline = time.monotonic() + self._limit
        super()._tunnel()
        connection.deadline = None
        connection.settimeout(min(HANDSHAKE, self._limit))


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timed


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTls


_POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _TlsPool}
