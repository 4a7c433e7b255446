"""Servers that fail in every way of the hostile matrix (providers.md 9.2), as one table.

A case is the script of a route: what it answers to each request in turn, the last answer from then on.
What comes of it is the body, or an error; how often the server is asked; and how long is waited between
the requests, by a clock that only waiting turns. Time-outs of the transport itself, which no such clock
can hurry, are set to fractions of a second. What the reference does is said where it does something else.
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
"""What the platform's config is fetched with (engine.md 4.3)."""
SOON = Settings(response_headers=0.3, total=120)
"""The same, impatient."""
STALL = 0.3


@dataclass(frozen=True)
class Fails:
    """How it ends: with this kind of error, whose text or hint says so."""

    kind: type[IgnitionError]
    says: str


@dataclass(frozen=True)
class Case:
    """One line of the matrix.

    Attributes:
        name: what the server does.
        script: its answers.
        ends: the config's bytes, or the error.
        asked: how many requests there are.
        waited: seconds of pauses in between.
        settings: what is fetched with.
        reference: what the reference does, where that is something else.
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


def page(body: bytes, says: str) -> Case:
    """A 200 with something else than a config."""
    return Case(f"200 with {says}", (ok(body), ok()), Fails(ConfigError, says))


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
    # Waiting for it to come up.
    Case("503 ten times", (*[BUSY] * 10, ok()), CONFIG, asked=11, waited=31.2),
    Case("503 for ever", (BUSY,), Fails(TimedOut, "503 Service Unavailable"), asked=28, waited=116.2),
    Case("500, 502, 504", (status(500), status(502), status(504), ok()), CONFIG, asked=4, waited=1.4),
    Case(
        "503 that says when", (status(503, Retry_After="30"), ok()), CONFIG, asked=2, waited=30,
        reference="asks again after 0.2 s",
    ),
    Case(
        "429 that says when", (status(429, Retry_After="3"), ok()), CONFIG, asked=2, waited=3,
        reference="fatal at once",
    ),
    Case("429", (status(429), ok()), Fails(FetchError, "429 Too Many Requests")),
    Case("404, then there", (status(404), ok()), Fails(NotFound, "404 Not Found")),
    *(
        Case(str(code), (status(code), ok()), Fails(FetchError, f"the server answered {code}"))
        for code in (400, 401, 403, 405, 406, 410, 418)
    ),
    *(
        Case(str(code), (status(code), ok()), Fails(FetchError, f"the server answered {code}"))
        for code in (201, 202, 206, 300, 304)
    ),
    # Silence, and connections that end.
    Case("late headers", (ok(delay=NEVER), ok()), CONFIG, asked=2, waited=0.2, settings=SOON),
    Case("headers a little late", (ok(delay=0.1),), CONFIG, settings=SOON),
    Case(
        "never an answer", (ok(delay=NEVER),), Fails(TimedOut, "no response within 0.1 s"), asked=4,
        waited=1.4, settings=Settings(response_headers=0.1, total=3),
    ),
    Case("ends without a word", (ok(drop=True), ok()), CONFIG, asked=2, waited=0.2),
    Case("reset without a word", (Answer(reset=True), ok()), CONFIG, asked=2, waited=0.2),
    Case(
        "cut in the body", (CUT, ok()), CONFIG, asked=2, waited=0.2, reference="fatal at once",
    ),
    Case(
        "cut in the body, can go on", (CUT_WITH_PROOF, REST), CONFIG, asked=2, waited=0.2,
        reference="fatal at once",
    ),
    Case(
        "cut in the body, changed meanwhile", (CUT_WITH_PROOF, ok()), CONFIG, asked=2, waited=0.2,
        reference="fatal at once",
    ),
    Case(
        "cut in the body each time", (CUT,), Fails(FetchError, "without progress"),
        asked=FRUITLESS + 1, waited=6.2, reference="fatal at once",
    ),
    Case("reset in the body", (ok(reset=True), ok()), CONFIG, asked=2, waited=0.2, reference="fatal at once"),
    Case(
        "silent in the body", (ok(stall=NEVER), ok()), CONFIG, asked=2, waited=0.2,
        reference="waits for the rest until the time is up",
    ),
    Case("hesitates in the body", (ok(stall=0.1),), CONFIG),
    # Redirects.
    Case("302 in a circle", (Answer.redirect("/config"),), Fails(FetchError, "more than 30 redirects"),
         asked=REDIRECTS + 1, reference="goes round until the time is up"),
    Case("302 to nowhere", (Answer(status=302), ok()), Fails(FetchError, "the server answered 302")),
    Case("302 to another scheme", (Answer.redirect("ftp://h/f"), ok()), Fails(FetchError, "expected http")),
    # Not what was expected.
    Case("200 with nothing", (ok(b""), ok()), Fails(EmptyConfig, "empty")),
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
        "an encoding nobody asked for",
        (ok(b"\x1f\x8b\x08\0\0\0\0\0", headers={"Content-Encoding": "gzip"}), ok()),
        Fails(ConfigError, "gzip-compressed"),
    ),
)  # fmt: skip


def brought(case: Case, url: str, make_http: MakeHttp) -> bytes:
    """The config, as far as its bytes make one."""
    into = BytesIO()
    with Sink(Source(url), into) as sink:
        make_http(case.settings, STALL).fetch(Request(url), sink)
        sink.finish()
    parse(into.getvalue())
    return into.getvalue()


def says(error: IgnitionError) -> str:
    """All that an error tells a user."""
    report = getattr(error, "report", ())
    return " ".join([str(error), error.hint, *(f"{entry} {entry.hint}" for entry in report)])


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: case.name)
def test_hostile_server_ends_in_config_or_error(
    case: Case, server: HttpServer, make_http: MakeHttp, clock: FakeClock
) -> None:
    url = server.answer("/config", *case.script)
    if isinstance(case.ends, bytes):
        assert brought(case, url, make_http) == case.ends
    else:
        with pytest.raises(case.ends.kind) as caught:
            brought(case, url, make_http)
        assert type(caught.value) is case.ends.kind
        assert case.ends.says in says(caught.value)
    assert server.asked() == case.asked
    assert sum(clock.slept) == pytest.approx(case.waited)


# What no script of a route can do: nobody listens, nobody knows the name.

RETRIES_OF_A_MINUTE = 16
"""0.2 + 0.4 + … + 5 + 5 s are more than 60 s after so many pauses."""


@contextmanager
def after_a_minute(clock: FakeClock, happens: Callable[[], None]) -> Iterator[None]:
    """Let something happen when a minute has been slept."""
    start, done = clock.time, False

    def sleep(seconds: float) -> None:
        nonlocal done
        clock.slept.append(seconds)
        clock.time += seconds
        if clock.time - start >= 60 and not done:
            done = True
            happens()

    clock.sleep = sleep  # type: ignore[method-assign]
    yield


def test_connection_refused_for_a_minute_is_retried(make_http: MakeHttp, clock: FakeClock) -> None:
    late = HttpServer()
    port = late.port
    late.start().stop()
    started: list[HttpServer] = []

    def come_up() -> None:
        started.append(HttpServer(port=port).start())
        started[0].answer("/config", CONFIG)

    with after_a_minute(clock, come_up):
        case = Case("refused", (), CONFIG)
        try:
            assert brought(case, f"http://127.0.0.1:{port}/config", make_http) == CONFIG
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
        brought(Case("", (), b""), f"http://127.0.0.1:{port}/config", make_http)
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

    def come_up() -> None:
        nonlocal known
        known = True

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    server.answer("/config", CONFIG)
    url = server.url("/config", host="configs.example")
    with pytest.raises(TimedOut, match=why):
        brought(Case("", (), b"", settings=Settings(total=20)), url, make_http)
    clock.slept.clear()
    with after_a_minute(clock, come_up):
        assert brought(Case("", (), b""), url, make_http) == CONFIG
    assert len(clock.slept) == RETRIES_OF_A_MINUTE


# Metadata services: tokens, and what is sent again.

TOKEN = (("x-aws-ec2-metadata-token", "t0ken"),)


def ask(http: object, url: str, verb: str = "GET", headers: tuple[tuple[str, str], ...] = TOKEN) -> bytes:
    into = BytesIO()
    http.fetch(Request(url, verb=verb, headers=headers), Sink(Source(url), into))  # type: ignore[attr-defined]
    return into.getvalue()


def test_second_use_of_token_fails_with_401(server: HttpServer, make_http: MakeHttp) -> None:
    """A refusal is final here; whoever has tokens asks for a new one."""
    once = accepting_once("X-Aws-Ec2-Metadata-Token", ok(), status(401))
    url = server.respond("/latest/user-data", once)
    http = make_http(PROVIDER)
    assert ask(http, url) == CONFIG
    with pytest.raises(FetchError, match="401 Unauthorized"):
        ask(http, url)
    assert server.asked() == 2


def test_redirect_within_service_keeps_headers(server: HttpServer, make_http: MakeHttp) -> None:
    """The reference drops them, and the service then refuses."""
    url = server.answer("/latest/user-data", Answer.redirect("/latest/user-data/"))
    server.respond("/latest/user-data/", accepting_once("X-Aws-Ec2-Metadata-Token", ok(), status(401)))
    assert ask(make_http(PROVIDER), url) == CONFIG


def test_redirect_307_repeats_put_with_headers(server: HttpServer, make_http: MakeHttp) -> None:
    """The reference drops the header with the token's life time, and the service then refuses."""
    url = server.answer("/token", Answer.redirect("/token/", 307), method="PUT")
    server.answer("/token/", b"t0ken", method="PUT")
    life = (("x-aws-ec2-metadata-token-ttl-seconds", "300"),)
    assert ask(make_http(PROVIDER), url, verb="PUT", headers=life) == b"t0ken"
    assert [request.headers["x-aws-ec2-metadata-token-ttl-seconds"] for request in server.requests] == [
        "300",
        "300",
    ]


def test_each_attempt_sends_exactly_the_expected_headers(server: HttpServer, make_http: MakeHttp) -> None:
    """Names in canonical case, nothing more than these, and the same in the second attempt."""
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
