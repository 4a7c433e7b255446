# SPDX-License-Identifier: Apache-2.0
"""Response bodies that are interrupted, stall or trickle, and their resumption."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from email.utils import formatdate

import pytest

from ignition.errors import FetchError, TimedOut
from ignition.host.source import Source
from ignition.resource import Settings
from ignition.resource.http.client import Http
from ignition.resource.http.request import Request
from ignition.resource.http.resume import FRUITLESS
from ignition.resource.stream import Sink
from tests.lab.logged import Log
from tests.lab.server import Answer, HttpServer
from tests.lab.server import Request as Seen
from tests.resource.conftest import FakeClock, Get, MakeHttp, raw_server, read_request

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class CutOffFile:
    """Serves a file whose responses are cut off, with ranges if enabled, and records the requested ranges."""

    def __init__(
        self, contents: bytes, *, per_answer: int, headers: dict[str, str], ranges: bool = True
    ) -> None:
        self.contents = contents
        self.per_answer = per_answer
        self.headers = headers
        self.ranges = ranges
        self.asked_for: list[tuple[str | None, str | None]] = []

    def __call__(self, request: Seen) -> Answer:
        wanted = request.headers.get("range")
        self.asked_for.append((wanted, request.headers.get("if-range")))
        start = 0
        headers = dict(self.headers)
        if wanted and self.ranges and request.headers.get("if-range") in self.headers.values():
            match = re.fullmatch(r"bytes=(\d+)-", wanted)
            assert match is not None
            start = int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(self.contents) - 1}/{len(self.contents)}"
        rest = self.contents[start:]
        status = 206 if "Content-Range" in headers else 200
        return Answer(rest[: self.per_answer], status=status, headers=headers, claim=len(rest))


CONTENTS = bytes(range(256)) * 40


def test_interrupted_body_is_resumed(server: HttpServer, get: Get, clock: FakeClock) -> None:
    file = CutOffFile(CONTENTS, per_answer=4000, headers={"ETag": '"v1"'})
    assert get(server.respond("/a", file)) == CONTENTS
    assert file.asked_for == [(None, None), ("bytes=4000-", '"v1"'), ("bytes=8000-", '"v1"')]
    assert clock.slept == [0.2, 0.2]  # progress resets the delays


def test_last_modified_is_used_as_validator(server: HttpServer, get: Get) -> None:
    date = formatdate(1_700_000_000, usegmt=True)
    file = CutOffFile(CONTENTS, per_answer=6000, headers={"Last-Modified": date})
    assert get(server.respond("/a", file)) == CONTENTS
    assert file.asked_for[1] == ("bytes=6000-", date)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_interrupted_body_without_validator_restarts(
    headers: dict[str, str], server: HttpServer, get: Get
) -> None:
    file = CutOffFile(CONTENTS, per_answer=4000, headers=headers)

    def respond(request: Seen) -> Answer:
        answer = file(request)
        file.per_answer = len(CONTENTS)
        return answer

    assert get(server.respond("/a", respond)) == CONTENTS
    assert file.asked_for == [(None, None), (None, None)]


def test_server_without_ranges_restarts_body(server: HttpServer, get: Get) -> None:
    file = CutOffFile(CONTENTS, per_answer=4000, headers={"ETag": '"v1"'}, ranges=False)

    def respond(request: Seen) -> Answer:
        answer = file(request)
        file.per_answer += 4000
        return answer

    assert get(server.respond("/a", respond)) == CONTENTS


def test_changed_resource_restarts_body(server: HttpServer, get: Get) -> None:
    old = Answer(b"old" * 100, headers={"ETag": '"v1"'}, claim=9999)
    new = Answer(b"new and whole", headers={"ETag": '"v2"'})
    assert get(server.answer("/a", old, new)) == b"new and whole"


@pytest.mark.parametrize(
    "response",
    [
        Answer(status=416),
        Answer(b"x", status=206, headers={"Content-Range": "bytes 7-7/8"}),
        Answer(b"x", status=206),
        Answer(b"defgh", status=206, headers={"Content-Range": "bytes 3-7/8", "ETag": '"v2"'}),
        Answer(b"defgh", status=206, headers={"Content-Range": "bytes 3-7/9", "ETag": '"v1"'}),
        Answer(b"defghi", status=206, headers={"Content-Range": "bytes 3-7/8", "ETag": '"v1"'}),
    ],
    ids=["none", "from elsewhere", "from nowhere", "of another file", "of a longer file", "too much"],
)
def test_unexpected_range_response_restarts_body(response: Answer, server: HttpServer, get: Get) -> None:
    broken = Answer(b"abc", headers={"ETag": '"v1"'}, claim=8)
    url = server.answer("/a", broken, response, b"complete")
    assert get(url) == b"complete"
    assert "range" not in server.requests[2].headers


def test_short_range_response_requests_rest_again(server: HttpServer, get: Get) -> None:
    """RFC 9110 section 15.3.7 allows a shorter range; the stored file must not end there."""

    def part(first: int, last: int) -> Answer:
        headers = {"ETag": '"v1"', "Content-Range": f"bytes {first}-{last}/10"}
        return Answer(b"0123456789"[first : last + 1], status=206, headers=headers)

    broken = Answer(b"0123", headers={"ETag": '"v1"'}, claim=10)
    assert get(server.answer("/a", broken, part(4, 6), part(7, 8), part(9, 9))) == b"0123456789"
    ranges = [request.headers.get("range") for request in server.requests]
    assert ranges == [None, "bytes=4-", "bytes=7-", "bytes=9-"]


def test_size_from_content_range_completes_body(get: Get) -> None:
    answers = [
        b'HTTP/1.1 200 OK\r\nETag: "1"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
        b'HTTP/1.1 206 Partial\r\nETag: "1"\r\nContent-Range: bytes 3-4/6\r\nContent-Length: 2\r\n\r\nde',
        b'HTTP/1.1 206 Partial\r\nETag: "1"\r\nContent-Range: BYTES 5-5/6\r\nContent-Length: 1\r\n\r\nf',
    ]

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answers.pop(0) if answers else b"")

    with raw_server(handle) as port:
        assert get(f"http://127.0.0.1:{port}/", Settings(total=10)) == b"abcdef"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4x",
        b"Content-Length: -4",
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
    ids=lambda framing: framing[:30].decode(),
)
def test_body_with_invalid_framing_is_not_stored(framing: bytes, get: Get) -> None:
    """Otherwise a truncated body or the chunk headers would be stored without an error."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n")

    with raw_server(handle) as port, pytest.raises(TimedOut, match="no valid length"):
        get(f"http://127.0.0.1:{port}/", Settings(total=3))


def test_repeated_content_length_is_accepted(get: Get) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody")

    with raw_server(handle) as port:
        assert get(f"http://127.0.0.1:{port}/", Settings(total=3)) == b"body"


def test_many_interruptions_log_few_lines(server: HttpServer, get: Get, logged: Log) -> None:
    file = CutOffFile(bytes(range(250)), per_answer=1, headers={"ETag": '"v1"'})
    assert get(server.respond("/a", file)) == bytes(range(250))
    assert len(logged.of("info")) < 10


def test_interruptions_without_progress_are_final(server: HttpServer, get: Get) -> None:
    with pytest.raises(FetchError) as caught:
        get(server.answer("/a", Answer(b"12345", claim=10)))
    assert not isinstance(caught.value, TimedOut)
    assert f"the body is incomplete after 5 of 10 bytes, {FRUITLESS + 1} times in a row" in str(caught.value)
    assert server.asked("/a") == FRUITLESS + 1


def test_stalled_body_is_retried(server: HttpServer, get: Get, logged: Log) -> None:
    url = server.answer("/a", Answer(b"abcd", stall=30), b"efgh")
    started = time.monotonic()
    assert get(url, stall=0.2) == b"efgh"
    assert time.monotonic() - started < 10
    assert f"GET {url}: error: no data for 0.2 s after 2 of 4 bytes" in logged.of("info")


def test_stalled_body_times_out_after_total_time(server: HttpServer) -> None:
    url = server.answer("/a", Answer(b"abcd", stall=60))
    started = time.monotonic()
    with pytest.raises(TimedOut, match="after 2 of 4 bytes"):
        Http(Settings(total=1)).fetch(Request(url), Sink(Source(url), io.BytesIO()))
    assert time.monotonic() - started < 20


def test_trickling_body_times_out_after_total_time(get: Get, clock: FakeClock) -> None:
    ended = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not ended.wait(0.02):
            clock.time += 1
            connection.sendall(b"x")

    with raw_server(handle) as port:
        with pytest.raises(TimedOut, match=r"time was up after \d+ of 1000 bytes"):
            get(f"http://127.0.0.1:{port}/", Settings(total=10))
        ended.set()


def test_trickling_chunk_header_times_out_after_total_time() -> None:
    """http.client reads a chunk header in a loop of its own, so only the socket's deadline ends it."""
    ended = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        for _ in range(1000):
            connection.sendall(b"0")
            if ended.wait(0.05):
                return

    started = time.monotonic()
    with raw_server(handle) as port:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(TimedOut, match="after 5 bytes"):
            Http(Settings(total=1)).fetch(Request(url), Sink(Source(url), io.BytesIO()))
        ended.set()
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("break_at", [b"", b"5\r\nhel"])
def test_chunked_body_is_decoded_and_retried(break_at: bytes, get: Get) -> None:
    whole = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answers = [break_at, whole] if break_at else [whole]

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head + answers.pop(0))

    with raw_server(handle) as port:
        assert get(f"http://127.0.0.1:{port}/") == b"hello world"


def test_long_download_logs_progress(get: Get, clock: FakeClock, logged: Log) -> None:
    piece = bytes(2**16)

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (40 * len(piece)))
        for _ in range(40):
            clock.time += 1
            connection.sendall(piece)

    with raw_server(handle) as port:
        get(f"http://u:secret@127.0.0.1:{port}/f?sig=secret")
    lines = [line for line in logged.of("info") if "MiB" in line]
    # The number of lines depends on how much the kernel has buffered at each read.
    assert 1 <= len(lines) <= 4
    shown = re.escape(f"GET http://u:***@127.0.0.1:{port}/f?sig=***: ")
    assert all(re.fullmatch(shown + r"[0-9.]+ of 2\.5 MiB, [0-9.]+ [KM]iB/s", line) for line in lines)


def test_body_without_length_ends_with_connection(get: Get) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nold style")

    with raw_server(handle) as port:
        assert get(f"http://127.0.0.1:{port}/") == b"old style"


@pytest.mark.parametrize("length", [b"", b"Content-Length: 5\r\n"])
def test_connection_close_response_is_read_completely(length: bytes, get: Get) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + b"\r\nwhole")

    with raw_server(handle) as port:
        assert get(f"http://127.0.0.1:{port}/", Settings(total=10)) == b"whole"


def test_unrequested_encoding_is_stored_unchanged(server: HttpServer, get: Get, logged: Log) -> None:
    body = b"\x1f\x8bnot really"
    url = server.answer("/a", Answer(body, headers={"Content-Encoding": "gzip\x1b[2J"}))
    assert get(url) == body
    assert f"GET {url}: unrequested Content-Encoding 'gzip\\x1b[2J'; bytes are used unchanged" in logged.of(
        "info"
    )


def test_connection_is_reused(make_http: MakeHttp) -> None:
    connections = 0

    def handle(connection: socket.socket) -> None:
        nonlocal connections
        connections += 1
        while True:
            read_request(connection)
            connection.sendall(OK_HEAD + b"ok")

    http = make_http()
    with raw_server(handle) as port:
        for _ in range(3):
            url = f"http://127.0.0.1:{port}/"
            http.fetch(Request(url), Sink(Source(url), io.BytesIO()))
    assert connections == 1
