# SPDX-License-Identifier: Apache-2.0
"""Redirects: targets, methods, headers and limits."""

from __future__ import annotations

import pytest

from ignition.errors import FetchError, NotFound
from ignition.resource.http.client import REDIRECTS
from tests.lab.server import Answer, HttpServer
from tests.resource.conftest import Get


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(status: int, server: HttpServer, get: Get) -> None:
    url = server.answer("/a/b", Answer.redirect("../c?d#e", status))
    server.answer("/c", b"there")
    assert get(url) == b"there"
    assert [request.target for request in server.requests] == ["/a/b", "/c?d"]


@pytest.mark.parametrize(
    ("status", "verb", "then"),
    [
        (301, "PUT", "GET"),
        (302, "PUT", "GET"),
        (303, "PUT", "GET"),
        (307, "PUT", "PUT"),
        (308, "POST", "POST"),
    ],
)
def test_redirect_keeps_verb_only_for_307_and_308(
    status: int, verb: str, then: str, server: HttpServer, get: Get
) -> None:
    url = server.answer("/a", Answer.redirect("/b", status))
    server.answer("/b", b"")
    get(url, verb=verb)
    assert server.requests[1].method == then
    assert server.requests[1].headers.get("content-length") == (None if then == "GET" else "0")


def test_redirect_to_other_host_drops_headers_and_credentials(server: HttpServer, get: Get) -> None:
    with HttpServer() as other:
        url = server.answer("/a", Answer.redirect(other.url("/b"))).replace("//", "//user:pass@")
        other.answer("/b", Answer.redirect(server.url("/c")))
        server.answer("/c", b"back")
        assert get(url, headers=(("X-Token", "t"), ("Accept", "a/b"))) == b"back"
        (stranger,) = other.requests
    first, last = server.requests
    assert (first.headers["x-token"], first.headers["authorization"]) == ("t", "Basic dXNlcjpwYXNz")
    for request in (stranger, last):
        assert set(request.headers) == {"host", "user-agent", "accept", "accept-encoding"}
        assert request.headers["accept"].startswith("application/vnd.coreos.ignition+json")
        # Without it the server may compress, and the compressed bytes would be stored.
        assert request.headers["accept-encoding"] == "identity"


def test_redirect_to_same_host_keeps_headers(server: HttpServer, get: Get) -> None:
    server.answer("/b", b"")
    get(server.answer("/a", Answer.redirect("/b")), headers=(("X-Token", "t"),))
    assert server.requests[1].headers["x-token"] == "t"


def test_redirect_sends_credentials_of_new_url(server: HttpServer, get: Get) -> None:
    with HttpServer() as other:
        target = other.answer("/b", b"").replace("//", "//u:p@")
        get(server.answer("/a", Answer.redirect(target)))
        assert other.requests[0].headers["authorization"] == "Basic dTpw"


def test_redirect_loop_fails(server: HttpServer, get: Get) -> None:
    with pytest.raises(FetchError, match=f"more than {REDIRECTS} redirects") as caught:
        get(server.answer("/a", Answer.redirect("/a")))
    assert "loop" in caught.value.hint
    assert server.asked("/a") == REDIRECTS + 1


def test_chain_of_25_redirects_is_followed(server: HttpServer, get: Get) -> None:
    for number in range(25):
        server.answer(f"/{number}", Answer.redirect(f"/{number + 1}"))
    server.answer("/25", b"long way")
    assert get(server.url("/0")) == b"long way"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("ftp://h/", "found ftp, expected http"),
        ("file:///etc/passwd", "found file, expected http"),
        ("http://[", "invalid URL"),
    ],
)
def test_redirect_to_other_scheme_fails_without_retry(
    location: str, why: str, server: HttpServer, get: Get
) -> None:
    with pytest.raises(FetchError, match=why):
        get(server.answer("/a", Answer.redirect(location)))
    assert server.asked() == 1


def test_error_after_redirect_names_target(server: HttpServer, get: Get) -> None:
    url = server.answer("/a", Answer.redirect("/b"))
    with pytest.raises(NotFound) as caught:
        get(url)
    assert str(caught.value) == (
        f"GET {url}: the server answered 404 Not Found (redirected to {server.url('/b')})"
    )
