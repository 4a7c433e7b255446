# SPDX-License-Identifier: Apache-2.0
"""Fetches from Google Cloud Storage over TLS."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ignition.errors import FetchError, NotFound
from ignition.host.source import Source
from ignition.resource import Credentials, Fetcher, Settings
from ignition.resource.objectstore.gcs import media_url
from tests.lab.internet import Internet
from tests.lab.logged import Log
from tests.lab.server import Answer, HttpServer
from tests.resource.conftest import Authority, FakeClock


@contextmanager
def cloud(authority: Authority, server: HttpServer, **more: Any) -> Iterator[Fetcher]:
    """Yield a fetcher whose connections to Cloud Storage go to the local server."""
    context = authority.server("gs", subject="DNS:storage.googleapis.com")
    with Internet(context, lambda host: server.port) as internet:
        settings = Settings(https_proxy=internet.url, certificate_authorities=(authority.bundle,), total=20)
        yield Fetcher(settings, **more)
    assert set(internet.asked) == {"storage.googleapis.com"}


OBJECT = "/storage/v1/b/bucket/o/a%2Fb?alt=media"


@pytest.mark.real_commands("openssl")
def test_public_object_is_fetched_without_token(authority: Authority, server: HttpServer) -> None:
    server.answer(OBJECT, gzip.compress(b"contents"))
    with cloud(authority, server) as fetcher:
        assert fetcher.bytes(Source("gs://bucket/a/b", compression="gzip")) == b"contents"
    assert "authorization" not in server.requests[0].headers


@pytest.mark.real_commands("openssl")
def test_token_is_sent_with_each_attempt(
    authority: Authority, server: HttpServer, clock: FakeClock, logged: Log
) -> None:
    server.answer(OBJECT, Answer(status=503), b"contents")
    account = Credentials(google=lambda: "Bearer geheim")
    with cloud(authority, server, credentials=account, clock=clock) as fetcher:
        assert fetcher.bytes(Source("gs://bucket/a/b")) == b"contents"
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer geheim"] * 2
    assert "geheim" not in logged.text


@pytest.mark.real_commands("openssl")
@pytest.mark.parametrize(
    ("identity", "who"),
    [
        (Credentials(), "everybody"),
        (Credentials(google=lambda: None), "everybody"),
        (Credentials(google=lambda: "Bearer x"), "service account"),
    ],
)
def test_denied_and_missing_objects_are_explained(
    authority: Authority, server: HttpServer, identity: Credentials, who: str
) -> None:
    server.answer(OBJECT, Answer(status=403))
    with cloud(authority, server, credentials=identity) as fetcher:
        with pytest.raises(FetchError, match="GET gs://bucket/a/b: Cloud Storage denied access") as caught:
            fetcher.bytes(Source("gs://bucket/a/b"))
        assert who in caught.value.hint
        with pytest.raises(NotFound, match="bucket or object not found"):
            fetcher.bytes(Source("gs://bucket/nothing"))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("gs://bucket/key", "b/bucket/o/key"),
        ("gs://bucket//a//b c", "b/bucket/o/a%2F%2Fb%20c"),
        ("gs://bucket/a%2Fb%3F+ü?x=y", "b/bucket/o/a%2Fb%3F%2B%C3%BC"),
        ("gs://dotted.example.com/~a", "b/dotted.example.com/o/~a"),
    ],
)
def test_media_url_escapes_object_name_as_one_segment(url: str, path: str) -> None:
    assert media_url(url) == f"https://storage.googleapis.com/storage/v1/{path}?alt=media"


@pytest.mark.parametrize("url", ["gs://bucket", "gs://bucket/", "gs:///key", "gs:key", "gs://b/%zz"])
def test_media_url_without_object_is_refused(url: str) -> None:
    with pytest.raises(FetchError):
        media_url(url)
