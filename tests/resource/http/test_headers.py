# SPDX-License-Identifier: Apache-2.0
"""Headers of configs, and Retry-After of responses."""

from __future__ import annotations

import socket
from email.utils import formatdate

import pytest

from ignition.errors import FetchError
from ignition.resource.http import headers
from tests.lab.server import Answer, HttpServer
from tests.resource.conftest import FakeClock, Get, raw_server, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "trailer"])
def test_transport_headers_of_config_are_dropped(name: str) -> None:
    assert headers.canonical(((name, "5"),)) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("ü", "x"),
        ("A", ""),
        ("A", "  "),
        ("A", "s\nX: y"),
        ("A", "s\0"),
    ],
)
def test_invalid_header_is_refused_without_quoting_it(name: str, value: str) -> None:
    with pytest.raises(FetchError, match="header") as caught:
        headers.canonical(((name, value),))
    assert "X: y" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "86400"}, 60),
        ({"Retry-After": "soon"}, 0.2),
        ({"Retry-After": "0"}, 0.2),
        (
            {
                "Retry-After": formatdate(1_000_030, usegmt=True),
                "Date": formatdate(1_000_000, usegmt=True),
            },
            30,
        ),
        (
            {
                "Retry-After": formatdate(1_000_000, usegmt=True),
                "Date": formatdate(1_000_030, usegmt=True),
            },
            0.2,
        ),
    ],
)
def test_retry_after_is_limited(headers: dict[str, str], waited: float, get: Get, clock: FakeClock) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    answers = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n" + lines + b"\r\n", OK]

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answers.pop(0))

    with raw_server(handle) as port:
        assert get(f"http://127.0.0.1:{port}/") == b"ok"
    assert clock.slept == [waited]


def test_status_429_with_retry_after_is_retried(server: HttpServer, get: Get, clock: FakeClock) -> None:
    busy = Answer(status=429, headers={"Retry-After": "3"})
    assert get(server.answer("/a", busy, b"now")) == b"now"
    assert clock.slept == [3]
