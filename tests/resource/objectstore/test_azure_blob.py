# SPDX-License-Identifier: Apache-2.0
"""Fetches from Azure Blob Storage over TLS: with the machine's token, then anonymous."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ignition.errors import FetchError, NotFound, TimedOut
from ignition.host.source import Source
from ignition.resource import Credentials, Fetcher, Settings
from ignition.resource.objectstore.azure_blob import is_blob
from tests.lab.internet import Internet
from tests.lab.logged import Log
from tests.lab.server import Answer, HttpServer, Request
from tests.resource.conftest import Authority, FakeClock

URL = "https://account.blob.core.windows.net/container/dir/blob"
MACHINE = Credentials(azure=lambda: "Bearer geheim")


@contextmanager
def azure(authority: Authority, server: HttpServer, *, total: float = 20, **more: Any) -> Iterator[Fetcher]:
    """Yield a fetcher whose connections to Blob Storage go to the local server."""
    context = authority.server("azure", subject="DNS:*.blob.core.windows.net")
    with Internet(context, lambda host: server.port) as internet:
        authorities = (authority.bundle,)
        settings = Settings(https_proxy=internet.url, certificate_authorities=authorities, total=total)
        yield Fetcher(settings, **more)


def only_with_token(contents: Answer) -> Any:
    def respond(request: Request) -> Answer:
        return contents if "authorization" in request.headers else Answer(status=404)

    return respond


@pytest.mark.real_commands("openssl")
def test_private_blob_is_fetched_with_token(authority: Authority, server: HttpServer, logged: Log) -> None:
    server.respond("/container/dir/blob", only_with_token(Answer(gzip.compress(b"private"))))
    with azure(authority, server, credentials=MACHINE) as fetcher:
        assert fetcher.bytes(Source(URL, compression="gzip")) == b"private"
    [request] = server.requests
    assert (request.headers["authorization"], request.headers["x-ms-version"]) == (
        "Bearer geheim",
        "2020-10-02",
    )
    assert "geheim" not in logged.text


@pytest.mark.real_commands("openssl")
def test_blob_without_identity_is_fetched_as_plain_url(authority: Authority, server: HttpServer) -> None:
    server.answer("/container/dir/blob", b"public")
    with azure(authority, server) as fetcher:
        assert fetcher.bytes(Source(URL)) == b"public"
    assert "x-ms-version" not in server.requests[0].headers


@pytest.mark.real_commands("openssl")
def test_denied_identity_falls_back_to_anonymous(
    authority: Authority, server: HttpServer, logged: Log
) -> None:
    def respond(request: Request) -> Answer:
        if "authorization" not in request.headers:
            return Answer(b"public")
        return Answer(b"<Error>geheim</Error>", 403, {"x-ms-error-code": "AuthorizationPermissionMismatch"})

    server.respond("/container/dir/blob", respond)
    with azure(authority, server, credentials=MACHINE) as fetcher:
        assert fetcher.bytes(Source(URL)) == b"public"
    assert any(
        "Blob Storage returned 403 AuthorizationPermissionMismatch; using anonymous access" in line
        for line in logged.of("info")
    )
    assert "geheim" not in logged.text


@pytest.mark.real_commands("openssl")
def test_anonymous_fallback_discards_first_response(authority: Authority, server: HttpServer) -> None:
    """The reference appends the second response to the data of the first one."""
    half = gzip.compress(b"x" * 5000)[:30] + b"broken" * 50

    def respond(request: Request) -> Answer:
        return Answer(half if "authorization" in request.headers else gzip.compress(b"right"))

    server.respond("/container/dir/blob", respond)
    with azure(authority, server, credentials=MACHINE) as fetcher:
        assert fetcher.bytes(Source(URL, compression="gzip")) == b"right"


@pytest.mark.real_commands("openssl")
@pytest.mark.parametrize("failure", [FetchError("no"), TimedOut("late"), None])
def test_missing_token_falls_back_to_anonymous(
    authority: Authority, server: HttpServer, failure: FetchError | None
) -> None:
    def token() -> str | None:
        if failure:
            raise failure
        return None

    server.answer("/container/dir/blob", b"public")
    with azure(authority, server, credentials=Credentials(azure=token)) as fetcher:
        assert fetcher.bytes(Source(URL)) == b"public"
        with pytest.raises(NotFound):
            fetcher.bytes(Source(URL + "2"))


@pytest.mark.real_commands("openssl")
def test_identity_and_fallback_share_total_time(
    authority: Authority, server: HttpServer, clock: FakeClock
) -> None:
    server.answer("/container/dir/blob", Answer(status=503))
    with (
        azure(authority, server, credentials=MACHINE, clock=clock, total=3) as fetcher,
        pytest.raises(TimedOut),
    ):
        fetcher.bytes(Source(URL))
    assert clock.time - 1000 <= 3


@pytest.mark.parametrize(
    ("url", "blob"),
    [
        (URL, True),
        ("https://a.BLOB.core.windows.net/c/b", True),
        ("https://a.blob.core.windows.net/c/b?snapshot=x", True),
        ("http://a.blob.core.windows.net/c/b", False),  # no token over plain HTTP
        ("https://a.blob.core.windows.net:444/c/b", False),
        ("https://u:p@a.blob.core.windows.net/c/b", False),
        ("https://a.blob.core.windows.net/c/b?sv=1&sig=abc", False),
        ("https://a.blob.core.windows.net/c", False),
        ("https://a.blob.core.windows.net/c/", False),
        ("https://a.blob.core.windows.net.evil.example/c/b", False),
        ("https://blob.core.windows.net/c/b", False),
        ("https://a.blob.core.windows.net/%zz/b", False),
    ],
)
def test_token_is_sent_only_to_blob_urls_over_tls(url: str, blob: bool) -> None:
    assert is_blob(url) is blob
