# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server on loopback that fails on request.

Unit tests use it directly; the guests of the lab reach it through QEMU's `guestfwd`.
"""

from __future__ import annotations

import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SHUT_RDWR, SO_LINGER, SOL_SOCKET, socket
from socketserver import TCPServer
from types import TracebackType
from typing import Final, Self

__all__ = ["NEVER", "Answer", "HttpServer", "Request", "accepting_once"]

NEVER: Final = 3600.0
"""Seconds that no test lasts: a delay of so much is no answer at all."""

HEARD: Final = 0.1
"""Seconds in which a client on loopback has read what was sent."""


@dataclass(frozen=True)
class Request:
    """One request as it came in.

    Attributes:
        method: `GET` and its like.
        target: path and query.
        headers: by name in lower case.
        body: what came with it.
        sent_headers: names and values as they were sent, in their order and case.
        port: the client's, which tells connections apart.
        arrived: when, in monotonic seconds.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    sent_headers: tuple[tuple[str, str], ...] = ()
    port: int = 0
    arrived: float = 0.0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer:
    """What to say to one request, and how to misbehave while saying it.

    `delay` is the time in seconds before the status line; `stall` is a silence of that many
    seconds in the middle of the body; `claim` is the Content-Length that is promised when it
    is not the body's (one that is too large ends the connection in the middle of the body);
    `drop` closes the connection without a word; `reset` ends it with a TCP reset, in the middle
    of the body if there is one, else without a word.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    stall: float = 0.0
    claim: int | None = None
    drop: bool = False
    reset: bool = False

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Answer:
        """Send the client elsewhere."""
        return cls(status=status, headers={"Location": location})


Responder = Callable[[Request], Answer]


def accepting_once(header: str, answer: Answer, refusal: Answer) -> Responder:
    """Give `answer` to the first request with each value of `header`, `refusal` to all others."""
    seen: set[str] = set()

    def respond(request: Request) -> Answer:
        value = request.headers.get(header.lower(), "")
        if not value or value in seen:
            return refusal
        seen.add(value)
        return answer

    return respond


class HttpServer:
    """Serve what `answer` and `respond` say; a context manager that starts and ends the server.

    `requests` holds every request in the order of arrival. Unknown paths are answered 404.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self._responders: dict[tuple[str | None, str], Responder] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._server = _Server(self, host, port, tls)
        self._scheme = "https" if tls else "http"
        self._host = f"[{host}]" if ":" in host else host
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def url(self, path: str = "/", host: str | None = None) -> str:
        """The address of `path`, with another name for this host if one is given."""
        return f"{self._scheme}://{host or self._host}:{self.port}{path}"

    def answer(self, target: str, *answers: Answer | bytes, method: str | None = None) -> str:
        """Answer requests for `target` with `answers` in turn, the last one from then on; return its URL.

        `target` may hold a query; without one it stands for every query. `method` limits it to one method.
        """
        queue = [Answer(body=each) if isinstance(each, bytes) else each for each in answers]
        if not queue:
            raise ValueError("at least one answer is needed")

        def next_answer(request: Request) -> Answer:
            with self._lock:
                return queue.pop(0) if len(queue) > 1 else queue[0]

        return self.respond(target, next_answer, method=method)

    def respond(self, target: str, responder: Responder, *, method: str | None = None) -> str:
        """Answer requests for `target` with what `responder` returns (called in the request's thread)."""
        self._responders[method, target] = responder
        return self.url(target)

    def asked(self, target: str | None = None) -> int:
        """How many requests there were, for one path if given."""
        return sum(1 for request in self.requests if target in (None, request.target, request.path))

    def start(self) -> Self:
        """Serve in a thread of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End every connection and thread; what went wrong in a responder is raised here."""
        self._ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()
        if self.failures:
            raise ExceptionGroup(
                "the test's HTTP server failed", [e for e in self.failures if isinstance(e, Exception)]
            )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _respond_to(self, request: Request) -> Answer:
        self.requests.append(request)
        for method in (request.method, None):
            for target in (request.target, request.path):
                if responder := self._responders.get((method, target)):
                    return responder(request)
        return Answer(status=404)

    def _pause(self, seconds: float) -> None:
        """Wait; if the server ends in the meantime, so does the connection."""
        if seconds and self._ending.wait(seconds):
            raise ConnectionAbortedError("the server ends")


class _Server(ThreadingHTTPServer):
    # Threads are joined at the end, so that no socket outlives its test.
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, lab: HttpServer, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.lab = lab
        self.tls = tls
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self._connections: set[socket] = set()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # The base class asks the resolver for this host's full name, which no test needs.
        TCPServer.server_bind(self)

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket)
        # The handshake is done in the connection's own thread: one bad client does not hold up the others.
        connection = self.tls.wrap_socket(request, server_side=True) if self.tls else request
        self._connections.add(connection)
        try:
            super().finish_request(connection, client_address)
        finally:
            self._connections.discard(connection)
            if connection is not request:
                connection.close()

    def end_connections(self) -> None:
        for connection in tuple(self._connections):
            try:
                connection.shutdown(SHUT_RDWR)
            except OSError:
                continue  # it ended by itself in the meantime

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        # Clients that go away in the middle, or refuse our certificate, are what the tests are about.
        if error is not None and not isinstance(error, (ConnectionError, ssl.SSLError, TimeoutError)):
            self.lab.failures.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        lab = self.server.lab
        answer = lab._respond_to(self._request())
        lab._pause(answer.delay)
        if answer.drop or (answer.reset and not answer.body):
            self._end(reset=answer.reset)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        claim = len(answer.body) if answer.claim is None else answer.claim
        self.send_header("Content-Length", str(claim))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer)
        if claim > len(answer.body) or answer.reset:
            self._end(reset=answer.reset)

    def _end(self, *, reset: bool) -> None:
        """Answer nothing more on this connection."""
        self.close_connection = True
        if reset:
            # To linger for no time at all makes a reset of the close (socket(7)).
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _request(self) -> Request:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = tuple(self.headers.items())
        headers = {name.lower(): value for name, value in sent}
        port = self.client_address[1]
        return Request(self.command, self.path, headers, body, sent, port, time.monotonic())

    def _send_body(self, answer: Answer) -> None:
        half = len(answer.body) // 2 if answer.stall or answer.reset else 0
        self.wfile.write(answer.body[:half])
        self.wfile.flush()
        self.server.lab._pause(answer.stall)
        if answer.reset:
            # What is reset before it was read is lost; the client is to have the first half.
            self.server.lab._pause(HEARD)
            return
        self.wfile.write(answer.body[half:])

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks for one method per HTTP method; all of them are served alike.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, _: str, *arguments: object) -> None:
        """Write nothing: the log of the server is `requests`."""
