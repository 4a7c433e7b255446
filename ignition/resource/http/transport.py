"""One HTTP exchange over requests: no retries, no redirects, no opinion on statuses.

requests is used at its transport adapter, the layer below sessions. What a
session adds is what must not happen here: environment proxies, netrc, cookies,
redirects that keep headers, decoding. This module imports requests when it is
imported, so it is imported only by the function that needs it (`http._load`).
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
"""Seconds for the TLS handshake (engine.md 7.1)."""

SHORTEST: Final = 0.001
"""Seconds; a time-out of none at all would mean something else to a socket."""

CONNECTIONS: Final = 16
"""Connections that are kept open to one server."""

CONTINUE: Final = 100
SWITCHING_PROTOCOLS: Final = 101
FINAL: Final = 200

_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Reply:
    """An answer: status and headers are here, the body is still on its way."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._raw: urllib3.HTTPResponse = response.raw
        connection = self._raw.connection
        self._socket = connection.last_socket if isinstance(connection, _Timed) else None

    def chunks(self, patience: Callable[[], float]) -> Iterator[bytes]:
        """The body as it came over the wire; `patience` gives the seconds to wait for the next piece.

        Raises:
            ExchangeFailed: it broke off, or nothing came for that long.
        """
        while True:
            try:
                self._wait_at_most(max(SHORTEST, patience()))
                chunk = self._raw.read1(PIECE, decode_content=False)
            except _FAILURES as caught:
                raise ExchangeFailed from caught
            if not chunk:
                return
            yield chunk

    def _wait_at_most(self, seconds: float) -> None:
        if isinstance(self._socket, DeadlineSocket):
            self._socket.deadline = time.monotonic() + seconds
        # A server that ends the connection with the body leaves a closed socket and no more to come.
        elif self._socket is not None and self._socket.fileno() >= 0:
            self._socket.settimeout(seconds)

    def close(self) -> None:
        """Be done with it; a connection whose body was read to the end is kept for the next request."""
        self._raw.close()

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport:
    """Exchanges over connections that are kept and shared; any number of threads may use it at once.

    `context` makes what TLS connections are checked with; it is called for the first of them.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        # A wrong clock is told with the certificate that it spoils, not as a warning of a library.
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
        """Send one request and wait for the headers of its answer.

        `url` has no user and no fragment; headers are sent as they are. `connect` and
        `headers_within` are seconds; the latter may be infinite.

        Raises:
            ExchangeFailed: there is no answer.
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
        self._make_context = context
        self._made_context: ssl.SSLContext | None = None
        self._lock = Lock()
        super().__init__(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def _context(self) -> ssl.SSLContext:
        """One for all: making it is dear, and connections of different contexts are not shared."""
        with self._lock:
            if self._made_context is None:
                self._made_context = self._make_context()
            return self._made_context

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
            host["host"] = f"[{host['host']}]"  # or else urllib3 takes its zone for a mistake
        if host["scheme"] != "https":
            return host, {}
        return host, {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context()}

    def cert_verify(self, *_: object) -> None:
        """Leave the pool alone: its context already says what is trusted."""


class _Answer(http.client.HTTPResponse):
    """Passes over answers that only announce another one, such as 103, as over 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        announces = SWITCHING_PROTOCOLS < status < FINAL
        return version, CONTINUE if announces else status, reason


class _Timed(HTTPConnection):
    """Connects by `dial`, and limits the time until the headers are there as a whole."""

    response_class = _Answer
    last_socket: Any = None

    def _new_conn(self) -> DeadlineSocket:
        return dial(self._dns_host, self.port, self._limit)

    @property
    def _limit(self) -> float:
        """Seconds for what is done next."""
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
    """The same over TLS, perhaps through a tunnel that a proxy opens."""

    def _new_conn(self) -> DeadlineSocket:
        connection = super()._new_conn()
        connection.settimeout(min(HANDSHAKE, self._limit))
        return connection

    def _tunnel(self) -> None:
        # A proxy has to connect in its turn, so it may take the time of a connection.
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
