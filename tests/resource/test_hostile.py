# SPDX-License-Identifier: Apache-2.0
"""Table of server failures, and the result of a config fetch for each.

Each case has the responses of a route in order; the last one is repeated. Expected are the body or the error,
the number of requests, and the total delay between them by a fake clock. Timeouts of the transport cannot use
the fake clock and are fractions of a second. Different behaviour of the reference is noted in the case.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import pytest

from ignition.config.parse import parse
from ignition.errors import ConfigError, EmptyConfig, FetchError, IgnitionError, NotFound, TimedOut
from ignition.host.source import Source
from ignition.resource import Request, Settings
from ignition.resource.http.client import REDIRECTS
from ignition.resource.http.resume import FRUITLESS
from ignition.resource.stream import Sink
from ignition.version import VERSION
from tests.lab.server import NEVER, Answer, HttpServer, accepting_once
from tests.resource.conftest import FakeClock, MakeHttp

CONFIG = b'{"ignition": {"version": "3.4.0"}}'
PROVIDER = Settings(total=120)
"""The settings for a platform's config; docs/reference/stages.md, "Command line" (`-fetch-timeout`)."""
SOON = Settings(response_headers=0.3, total=120)
"""The same with a short time limit for response headers."""
STALL = 0.3


@dataclass(frozen=True)
class Fails:
    """The expected error: its class, and a part of its text or hint."""

    kind: type[IgnitionError]
    text: str


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: the server's behaviour.
        script: its responses.
        ends: the config's bytes, or the error.
        asked: the number of requests.
        waited: total delay between the requests in seconds.
        settings: the fetcher's settings.
        reference: the reference's behaviour, if different.
    """

    name: str
    script: tuple[Answer, ...]
    ends: bytes | Fails
    asked: int = 1
    waited: float = 0.0
    settings: Settings = PROVIDER
    reference: str = ""


def ok(body: bytes = CONFIG, **how: object) -> Answer:
    return Answer(body, **how)  # type: ignore[arg-type]


def status(code: int, **headers: str) -> Answer:
    return Answer(
        b"no", status=code, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def page(body: bytes, problem: str) -> Case:
    """Return the case of a 200 response that is not a config."""
    return Case(f"200 with {problem}", (ok(body), ok()), Fails(ConfigError, problem))


BUSY = status(503)
ETAG = {"ETag": '"v1"'}
HALF = len(CONFIG) // 2
REST = Answer(
    CONFIG[HALF:],
    status=206,
    headers={**ETAG, "Content-Range": f"bytes {HALF}-{len(CONFIG) - 1}/{len(CONFIG)}"},
)
CUT = Answer(CONFIG[:HALF], claim=len(CONFIG))
CUT_WITH_PROOF = Answer(CONFIG[:HALF], claim=len(CONFIG), headers=ETAG)

MATRIX = (
    # Statuses.
    Case("503 ten times", (*[BUSY] * 10, ok()), CONFIG, asked=11, waited=31.2),
    Case("503 always", (BUSY,), Fails(TimedOut, "503 Service Unavailable"), asked=28, waited=116.2),
    Case("500, 502, 504", (status(500), status(502), status(504), ok()), CONFIG, asked=4, waited=1.4),
    Case(
        "503 with Retry-After", (status(503, Retry_After="30"), ok()), CONFIG, asked=2, waited=30,
        reference="retries after 0.2 s",
    ),
    Case(
        "429 with Retry-After", (status(429, Retry_After="3"), ok()), CONFIG, asked=2, waited=3,
        reference="fails without a retry",
    ),
    Case("429", (status(429), ok()), Fails(FetchError, "429 Too Many Requests")),
    Case("404, then 200", (status(404), ok()), Fails(NotFound, "404 Not Found")),
    *(
        Case(str(code), (status(code), ok()), Fails(FetchError, f"the server answered {code}"))
        for code in (400, 401, 403, 405, 406, 410, 418)
    ),
    *(
        Case(str(code), (status(code), ok()), Fails(FetchError, f"the server answered {code}"))
        for code in (201, 202, 206, 300, 304)
    ),
    # Timeouts and closed connections.
    Case("headers after the timeout", (ok(delay=NEVER), ok()), CONFIG, asked=2, waited=0.2, settings=SOON),
    Case("headers before the timeout", (ok(delay=0.1),), CONFIG, settings=SOON),
    Case(
        "no response", (ok(delay=NEVER),), Fails(TimedOut, "no response within 0.1 s"), asked=4,
        waited=1.4, settings=Settings(response_headers=0.1, total=3),
    ),
    Case("connection closed before the response", (ok(drop=True), ok()), CONFIG, asked=2, waited=0.2),
    Case("connection reset before the response", (Answer(reset=True), ok()), CONFIG, asked=2, waited=0.2),
    Case(
        "body interrupted", (CUT, ok()), CONFIG, asked=2, waited=0.2, reference="fails without a retry",
    ),
    Case(
        "body interrupted, range supported", (CUT_WITH_PROOF, REST), CONFIG, asked=2, waited=0.2,
        reference="fails without a retry",
    ),
    Case(
        "body interrupted, resource changed", (CUT_WITH_PROOF, ok()), CONFIG, asked=2, waited=0.2,
        reference="fails without a retry",
    ),
    Case(
        "body interrupted each time", (CUT,), Fails(FetchError, "without progress"),
        asked=FRUITLESS + 1, waited=6.2, reference="fails without a retry",
    ),
    Case(
        "connection reset in the body", (ok(reset=True), ok()), CONFIG, asked=2, waited=0.2,
        reference="fails without a retry",
    ),
    Case(
        "body stalled", (ok(stall=NEVER), ok()), CONFIG, asked=2, waited=0.2,
        reference="waits until the time limit",
    ),
    Case("body paused", (ok(stall=0.1),), CONFIG),
    # Redirects.
    Case("302 loop", (Answer.redirect("/config"),), Fails(FetchError, "more than 30 redirects"),
         asked=REDIRECTS + 1, reference="follows until the time limit"),
    Case("302 without Location", (Answer(status=302), ok()), Fails(FetchError, "the server answered 302")),
    Case("302 to another scheme", (Answer.redirect("ftp://h/f"), ok()), Fails(FetchError, "expected http")),
    # Unexpected contents.
    Case("200 with an empty body", (ok(b""), ok()), Fails(EmptyConfig, "empty")),
    Case("204", (Answer(status=204), ok()), Fails(EmptyConfig, "empty")),
    page(b"<!DOCTYPE html><html><title>Log in</title></html>", "this is HTML or XML"),
    page(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "this is HTML or XML"),
    page(b"#cloud-config\nusers: []\n", "this is a cloud-init config"),
    page(b"#!/bin/sh\nreboot\n", "this is a script"),
    page(b"variant: flatcar\nversion: 1.0.0\n", "this is a Butane config"),
    page(b" \n\t ", "unexpected end of the text"),
    page(b"\xef\xbb\xbf" + CONFIG, "byte order mark"),
    page(CONFIG[:20], "unexpected end of the text"),
    page(b"{}", "no usable version"),
    page(b"\x1f\x8b\x08\0\0\0\0\0", "gzip-compressed"),
    Case(
        "unrequested Content-Encoding",
        (ok(b"\x1f\x8b\x08\0\0\0\0\0", headers={"Content-Encoding": "gzip"}), ok()),
        Fails(ConfigError, "gzip-compressed"),
    ),
)  # fmt: skip


def fetched(case: Case, url: str, make_http: MakeHttp) -> bytes:
    """Fetch and parse the config; return its bytes."""
    into = BytesIO()
    with Sink(Source(url), into) as sink:
        make_http(case.settings, STALL).fetch(Request(url), sink)
        sink.finish()
    parse(into.getvalue())
    return into.getvalue()


def text_of(error: IgnitionError) -> str:
    """Return the message, the hint and the report of an error."""
    report = getattr(error, "report", ())
    return " ".join([str(error), error.hint, *(f"{entry} {entry.hint}" for entry in report)])


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: case.name)
def test_hostile_server_ends_in_config_or_error(
    case: Case, server: HttpServer, make_http: MakeHttp, clock: FakeClock
) -> None:
    url = server.answer("/config", *case.script)
    if isinstance(case.ends, bytes):
        assert fetched(case, url, make_http) == case.ends
    else:
        with pytest.raises(case.ends.kind) as caught:
            fetched(case, url, make_http)
        assert type(caught.value) is case.ends.kind
        assert case.ends.text in text_of(caught.value)
    assert server.asked() == case.asked
    assert sum(clock.slept) == pytest.approx(case.waited)


# Failures before a request: connection refused, name not found.

RETRIES_OF_A_MINUTE = 16
"""The sum of the delays 0.2 + 0.4 + … + 5 + 5 s exceeds 60 s after this number."""


@contextmanager
def after_a_minute(clock: FakeClock, event: Callable[[], None]) -> Iterator[None]:
    """Call `event` once, after 60 seconds of delays."""
    start, done = clock.time, False

    def sleep(seconds: float) -> None:
        nonlocal done
        clock.slept.append(seconds)
        clock.time += seconds
        if clock.time - start >= 60 and not done:
            done = True
            event()

    clock.sleep = sleep  # type: ignore[method-assign]
    yield


def test_connection_refused_for_a_minute_is_retried(make_http: MakeHttp, clock: FakeClock) -> None:
    late = HttpServer()
    port = late.port
    late.start().stop()
    started: list[HttpServer] = []

    def start_server() -> None:
        started.append(HttpServer(port=port).start())
        started[0].answer("/config", CONFIG)

    with after_a_minute(clock, start_server):
        case = Case("refused", (), CONFIG)
        try:
            assert fetched(case, f"http://127.0.0.1:{port}/config", make_http) == CONFIG
        finally:
            started[0].stop()
    assert len(clock.slept) == RETRIES_OF_A_MINUTE
    assert started[0].asked() == 1


def test_unreachable_server_times_out_with_last_cause(make_http: MakeHttp, clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as short_lived:
        port = short_lived.getsockname()[1]
    with pytest.raises(
        TimedOut, match=r"timed out after 120 s and 28 attempts; last error: connection refused"
    ):
        fetched(Case("", (), b""), f"http://127.0.0.1:{port}/config", make_http)
    assert clock.time - 1000 <= 120


@pytest.mark.parametrize(
    ("code", "why"),
    [(socket.EAI_AGAIN, "no name server answers"), (socket.EAI_NONAME, "cannot resolve")],
)
def test_name_lookup_failing_for_a_minute_is_retried(
    code: int,
    why: str,
    server: HttpServer,
    make_http: MakeHttp,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, known = socket.getaddrinfo, False

    def look_up(name: bytes, *rest: object, **how: object) -> object:
        if not known:
            raise socket.gaierror(code, "no")
        return real("127.0.0.1", *rest, **how)  # type: ignore[arg-type]

    def publish_name() -> None:
        nonlocal known
        known = True

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    server.answer("/config", CONFIG)
    url = server.url("/config", host="configs.example")
    with pytest.raises(TimedOut, match=why):
        fetched(Case("", (), b"", settings=Settings(total=20)), url, make_http)
    clock.slept.clear()
    with after_a_minute(clock, publish_name):
        assert fetched(Case("", (), b""), url, make_http) == CONFIG
    assert len(clock.slept) == RETRIES_OF_A_MINUTE


# Metadata services: tokens and repeated headers.

TOKEN = (("x-aws-ec2-metadata-token", "t0ken"),)


def ask(http: object, url: str, verb: str = "GET", headers: tuple[tuple[str, str], ...] = TOKEN) -> bytes:
    into = BytesIO()
    http.fetch(Request(url, verb=verb, headers=headers), Sink(Source(url), into))  # type: ignore[attr-defined]
    return into.getvalue()


def test_second_use_of_token_fails_with_401(server: HttpServer, make_http: MakeHttp) -> None:
    """Status 401 is not retried; the provider requests a new token."""
    once = accepting_once("X-Aws-Ec2-Metadata-Token", ok(), status(401))
    url = server.respond("/latest/user-data", once)
    http = make_http(PROVIDER)
    assert ask(http, url) == CONFIG
    with pytest.raises(FetchError, match="401 Unauthorized"):
        ask(http, url)
    assert server.asked() == 2


def test_redirect_within_service_keeps_headers(server: HttpServer, make_http: MakeHttp) -> None:
    """The reference drops the headers, and the service denies access."""
    url = server.answer("/latest/user-data", Answer.redirect("/latest/user-data/"))
    server.respond("/latest/user-data/", accepting_once("X-Aws-Ec2-Metadata-Token", ok(), status(401)))
    assert ask(make_http(PROVIDER), url) == CONFIG


def test_redirect_307_repeats_put_with_headers(server: HttpServer, make_http: MakeHttp) -> None:
    """The reference drops the header with the token's TTL, and the service denies access."""
    url = server.answer("/token", Answer.redirect("/token/", 307), method="PUT")
    server.answer("/token/", b"t0ken", method="PUT")
    life = (("x-aws-ec2-metadata-token-ttl-seconds", "300"),)
    assert ask(make_http(PROVIDER), url, verb="PUT", headers=life) == b"t0ken"
    assert [request.headers["x-aws-ec2-metadata-token-ttl-seconds"] for request in server.requests] == [
        "300",
        "300",
    ]


def test_each_attempt_sends_exactly_the_expected_headers(server: HttpServer, make_http: MakeHttp) -> None:
    """Names are in canonical case, and the second attempt sends the same headers."""
    url = server.answer("/config", BUSY, ok())
    ask(make_http(PROVIDER), url)
    expected = (
        ("Host", f"127.0.0.1:{server.port}"),
        ("User-Agent", f"Ignition/{VERSION}"),
        ("Accept", "application/vnd.coreos.ignition+json;version=3.6.0, */*;q=0.1"),
        ("Accept-Encoding", "identity"),
        ("X-Aws-Ec2-Metadata-Token", "t0ken"),
    )
    assert [request.sent_headers for request in server.requests] == [expected, expected]


def test_resumed_body_requests_only_the_rest(server: HttpServer, make_http: MakeHttp) -> None:
    url = server.answer("/config", CUT_WITH_PROOF, REST)
    ask(make_http(PROVIDER), url)
    sent = dict(server.requests[1].sent_headers)
    assert (sent["Range"], sent["If-Range"]) == (f"bytes={HALF}-", '"v1"')
