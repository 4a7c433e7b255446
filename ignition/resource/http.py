"""HTTP as the reference speaks it: request shape, statuses, redirects, proxies; and bodies that break off.

One `fetch` is a series of attempts (`retry.persist`). An attempt starts at the
URL that was asked for, follows redirects, and ends with a complete body in the
sink, with a final error, or with `Again`. A body that broke off is continued
where it ended if the server can prove that it is still the same file.

Source: engine.md section 7.1, providers.md section 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.errors import FetchError, NotFound
from ignition.host import progress
from ignition.resource import causes, tls
from ignition.resource.causes import ExchangeFailed
from ignition.resource.redact import redact
from ignition.resource.request import Request, Response
from ignition.resource.retry import SYSTEM_CLOCK, Again, Cause, Clock, Deadline, Jitter, jitter, persist
from ignition.resource.service import Service
from ignition.resource.stream import Sink
from ignition.resource.target import Target
from ignition.version import VERSION

if TYPE_CHECKING:
    from ignition.resource import Settings
    from ignition.resource.transport import Reply, Transport

__all__ = ["Http", "canonical_headers"]

CONNECT: Final = 30.0
"""Seconds for a connection to stand (engine.md 7.1)."""

STALL: Final = 60.0
"""Seconds without a byte after which a body counts as broken off."""

REDIRECTS: Final = 30
"""Redirects that one attempt follows."""

FRUITLESS: Final = 5
"""Times in a row that a body may break off without one new byte, before that is final."""

EXPLANATION: Final = 64 * 1024
"""Bytes that are read of the body in which a service explains a refusal."""

EXPLANATION_WITHIN: Final = 10.0
"""Seconds of silence after which that body is done without."""

LONGEST_WAIT: Final = 60.0
"""Seconds that a server may ask for with Retry-After; more is not waited."""

ACCEPT: Final = "application/vnd.coreos.ignition+json;version=3.6.0, */*;q=0.1"

NOT_SENDABLE: Final = frozenset({"Host", "Content-Length", "Transfer-Encoding", "Trailer"})
"""Headers that belong to the transport; set by a config they have no effect, as in the reference."""

OK: Final = 200
PARTIAL: Final = 206
NOT_FOUND: Final = 404
RANGE_NOT_SATISFIABLE: Final = 416
TOO_MANY_REQUESTS: Final = 429
SERVER_ERRORS: Final = 500

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Http:
    """Fetches over HTTP with fixed settings; any number of threads may use it at once.

    `clock` and `spread` are for tests, as is `stall`: seconds of silence in a body
    after which it counts as broken off.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        spread: Jitter = jitter,
        stall: float = STALL,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._spread = spread
        self._stall = stall
        self._lock = Lock()
        self._made: Transport | None = None

    def fetch(
        self,
        request: Request,
        sink: Sink,
        *,
        service: Service | None = None,
        deadline: Deadline | None = None,
    ) -> Response:
        """Bring the resource into the sink, complete but not verified.

        `service` is whose words are spoken on top of HTTP, if any. `deadline` is for
        a fetch that takes several requests; one request has the settings' own.

        Raises:
            NotFound: the server has no such thing.
            TimedOut: not within the total time.
            FetchError: it will not get better by trying again.
        """
        download = _Download(request, sink, service, self._clock)
        hop = _Hop.first(request)
        return persist(
            lambda deadline: self._attempt(download, hop, deadline),
            what=download.what,
            total=self._settings.total,
            deadline=deadline,
            clock=self._clock,
            spread=self._spread,
        )

    def close(self) -> None:
        """Close all connections that are kept for later requests."""
        with self._lock:
            if self._made is not None:
                self._made.close()

    def _attempt(self, download: _Download, first: _Hop, deadline: Deadline) -> Response:
        hop = first.continuing(download.range_headers()).proving(download.proofs())
        with self._follow(hop, download, deadline) as reply:
            self._judge(reply, download, deadline)
            self._receive(reply, download, deadline)
            return Response(reply.status, reply.headers)

    def _follow(self, hop: _Hop, download: _Download, deadline: Deadline) -> Reply:
        """The first answer that is no redirect."""
        download.redirected_to = ""
        for _ in range(REDIRECTS + 1):
            reply = self._send(hop, download, deadline)
            if reply.status not in {301, 302, 303, 307, 308} or not reply.headers.get("Location"):
                return reply
            reply.close()
            hop = hop.redirected(reply.status, reply.headers["Location"])
            download.redirected_to = redact(hop.url)
            log.debug(f"{download.what}: redirected to {download.redirected_to}")
        raise FetchError(
            f"{download.what}: redirected more than {REDIRECTS} times, lastly to {redact(hop.url)}",
            hint="the server most likely redirects in a circle",
        )

    def _send(self, hop: _Hop, download: _Download, deadline: Deadline) -> Reply:
        target = Target.of(hop.url)
        proxy = self._settings.proxies.choose(target.scheme, target.host, target.port)
        silence = self._settings.response_headers if self._settings.response_headers > 0 else math.inf
        within = min(silence, deadline.left())
        try:
            return self._transport().send(
                hop.verb,
                target.wire,
                {"Host": target.authority, **hop.headers()},
                hop.body,
                proxy=proxy,
                connect=min(CONNECT, deadline.left()),
                headers_within=within,
            )
        except ExchangeFailed as caught:
            cause = causes.explain(caught, host=target.host, silence=f"no answer within {within:.3g} s")
            raise Again(download.placed(cause, proxy)) from caught

    def _judge(self, reply: Reply, download: _Download, deadline: Deadline) -> None:
        """Return if the body is to be received; `download` then knows whether it continues."""
        status, request = reply.status, download.request
        if status == PARTIAL and download.continues_with(reply.headers):
            return
        if status in (PARTIAL, RANGE_NOT_SATISFIABLE) and download.resuming:
            download.forget()
            raise Again(causes.explain_status(status), progressed=True)
        if status in request.accept:
            download.started(reply)
            return
        cause = download.placed(self._explain(reply, download.service, deadline))
        wait = _retry_after(reply.headers)
        asked_to_wait = status == TOO_MANY_REQUESTS and wait > 0
        if status >= SERVER_ERRORS or status in request.also_retry or asked_to_wait:
            raise Again(cause, wait=wait)
        kind = NotFound if status == NOT_FOUND else FetchError
        raise kind(f"{download.what}: {cause.text}", hint=cause.hint)

    def _explain(self, reply: Reply, service: Service | None, deadline: Deadline) -> Cause:
        """Why this answer is none: in the service's words if it has any."""
        known = causes.explain_status(reply.status)
        if service is None:
            return known
        body = b""
        try:
            for piece in reply.chunks(lambda: min(EXPLANATION_WITHIN, deadline.left())):
                body += piece
                if len(body) >= EXPLANATION or not deadline.left():
                    break
        except ExchangeFailed:
            log.debug("the explanation of the refusal broke off")
        return service.explain(Response(reply.status, reply.headers, body)) or known

    def _receive(self, reply: Reply, download: _Download, deadline: Deadline) -> None:
        """Move the body into the sink."""
        pieces = reply.chunks(lambda: min(self._stall, deadline.left()))
        while True:
            try:
                piece = next(pieces, b"")
            except ExchangeFailed as caught:
                silence = f"nothing came for {self._stall:g} s"
                cause = causes.explain(caught, host="the server", silence=silence)
                raise download.broken_off(download.placed(cause)) from caught
            if not piece:
                return
            download.took(piece)
            if not deadline.left():
                raise download.broken_off(Cause("time was up", "the network or the server is slow"))

    def _transport(self) -> Transport:
        """The connections; made for the first request."""
        with self._lock:
            if self._made is None:
                self._made = _load()(lambda: tls.context(self._settings.certificate_authorities))
            return self._made


def _load() -> type[Transport]:
    """Import requests, for the first time, with what it does not need here left out.

    It wants a package with authorities of its own, which this engine never asks,
    and it warns when there is none to guess character sets, which nothing here does.
    Neither has to be on the machine.
    """
    import sys
    import warnings
    from types import ModuleType

    try:
        import certifi
    except ImportError:
        certifi = ModuleType("certifi")
        certifi.where = tls.system_bundle
        sys.modules["certifi"] = certifi
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")
        from ignition.resource.transport import Transport
    return Transport


@dataclass(frozen=True)
class _Hop:
    """One request of a chain of redirects.

    `own` are the engine's headers, for every host; `private` those of the config
    or the provider, and the credentials, for the host that they were meant for.
    """

    verb: str
    url: str
    own: Mapping[str, str]
    private: Mapping[str, str]
    body: bytes | None = None

    @classmethod
    def first(cls, request: Request) -> _Hop:
        """The request as it leaves the machine."""
        own = {
            "User-Agent": f"Ignition/{VERSION}",
            "Accept": ACCEPT,
            "Accept-Encoding": "identity",
        }
        private = {**_credentials(request.url), **canonical_headers(request.headers)}
        return cls(request.verb, request.url, own, private, request.body)

    def headers(self) -> dict[str, str]:
        """All that is sent, except for what the transport adds."""
        sizes_its_body = self.body is not None or self.verb not in {"GET", "HEAD"}
        length = {"Content-Length": str(len(self.body or b""))} if sizes_its_body else {}
        return {**self.own, **length, **self.private}

    def continuing(self, headers: Mapping[str, str]) -> _Hop:
        """The same request with the headers that ask for the rest of a body."""
        return replace(self, own={**self.own, **headers})

    def proving(self, headers: Mapping[str, str]) -> _Hop:
        """The same request with the headers that show who asks."""
        return replace(self, private={**self.private, **headers})

    def redirected(self, status: int, location: str) -> _Hop:
        """Where a redirect leads.

        Headers of the config and credentials go along only to the same host, and
        never from https to http. (The reference drops all headers on every
        redirect, which makes the server compress what is then stored unpacked.)
        """
        from urllib.parse import urljoin

        # http.client reads headers as Latin-1; what servers send unescaped is UTF-8.
        text = location.encode("latin-1", "replace").decode("utf-8", "replace")
        try:
            url = urljoin(self.url, text)
        except ValueError as caught:
            raise FetchError(
                f"{redact(self.url)}: it redirects to what is no URL: {redact(text)}"
            ) from caught
        target = Target.of(url)
        trusted = target.may_know_what_was_sent_to(Target.of(self.url))
        private = {**self.private, **_credentials(url)} if trusted else _credentials(url)
        if status in {307, 308} or self.verb in {"GET", "HEAD"}:
            return replace(self, url=url, private=private)
        return replace(self, url=url, private=private, verb="GET", body=None)


class _Download:
    """How far a body has come, over all attempts."""

    def __init__(self, request: Request, sink: Sink, service: Service | None, clock: Clock) -> None:
        self.request = request
        self.sink = sink
        self.service = service
        self.redirected_to = ""
        self.what = f"{request.verb} {sink.name}"
        self._validator = ""
        self._size: int | None = None
        self._furthest = 0
        self._fruitless = 0
        self._started = False
        self._progress = progress.Download(self.what, clock.now)

    def took(self, piece: bytes) -> None:
        """The next bytes of the body."""
        self.sink.write(piece)
        self._progress.at(self.sink.received, self._size)

    def placed(self, cause: Cause, proxy: str = "") -> Cause:
        """The cause with where it happened, if that is not plain from the URL that was asked for."""
        places = [f"redirected to {self.redirected_to}"] if self.redirected_to else []
        if proxy:
            places.append(f"through the proxy {redact(proxy)}")
        return Cause(f"{cause.text} ({', '.join(places)})", cause.hint) if places else cause

    @property
    def resuming(self) -> bool:
        """Whether the next attempt asks for the rest only."""
        return bool(self.sink.received and self._validator)

    def proofs(self) -> Mapping[str, str]:
        """What shows the service who asks; made for each attempt, since signatures age."""
        return {} if self.service is None else self.service.proofs()

    def range_headers(self) -> dict[str, str]:
        """What asks for the rest, and only if the file is still the same."""
        if not self.resuming:
            return {}
        return {"Range": f"bytes={self.sink.received}-", "If-Range": self._validator}

    def continues_with(self, headers: Mapping[str, str]) -> bool:
        """Whether a partial answer is the rest that was asked for."""
        return self.resuming and headers.get("Content-Range", "").startswith(f"bytes {self.sink.received}-")

    def started(self, reply: Reply) -> None:
        """A whole body follows."""
        if not self._started:
            log.info(f"{self.what}: result: {causes.status_text(reply.status)}")
        self._started = True
        self.sink.restart()
        headers = reply.headers
        tag = headers.get("ETag", "")
        self._validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
        length = headers.get("Content-Length", "")
        self._size = int(length) if length.isdecimal() else None
        encoding = headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            log.info(f"{self.what}: sent as {encoding} though not asked to; taken as it is")

    def forget(self) -> None:
        """The next attempt starts from nothing."""
        self._validator = ""

    def broken_off(self, cause: Cause) -> Again | FetchError:
        """What to raise when the body ended before it was complete."""
        came = self.sink.received
        progressed = came > self._furthest
        self._furthest = max(came, self._furthest)
        self._fruitless = 0 if progressed else self._fruitless + 1
        of = "" if self._size is None else f" of {self._size}"
        text = f"{cause.text} after {came}{of} bytes"
        if self._fruitless < FRUITLESS:
            return Again(Cause(text, cause.hint), progressed=progressed)
        return FetchError(
            f"{self.what}: {text}, {self._fruitless + 1} times in a row without getting any further",
            hint=cause.hint,
        )


def canonical_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header names in the form in which they are sent (`x-a` is `X-A`), values without blanks around.

    Of several with one name the last counts; those of the transport are left out.
    Values are secret, so no message quotes one. Source: config-spec section 11.5.

    Raises:
        FetchError: a name or a value is empty or cannot be sent.
    """
    made = {}
    for name, value in headers:
        if not name or not set(name) <= _TOKEN:
            raise FetchError(
                f"the HTTP header name {name!r} is empty or holds a character that no name may hold"
            )
        value = value.strip(" \t")
        if not value or any((ord(c) < 0x20 and c != "\t") or ord(c) == 0x7F for c in value):
            raise FetchError(f"the value of HTTP header {name} is empty or holds a control character")
        canonical = "-".join(word.capitalize() for word in name.split("-"))
        if canonical not in NOT_SENDABLE:
            made[canonical] = _on_the_wire(value.encode())
    return made


def _on_the_wire(value: bytes) -> str:
    """Bytes as http.client wants them: as the text that they would be in Latin-1."""
    return value.decode("latin-1")


def _credentials(url: str) -> dict[str, str]:
    """The `Authorization` that `user:password@` in a URL stands for."""
    userinfo = Target.of(url).userinfo
    if userinfo is None:
        return {}
    from binascii import b2a_base64
    from urllib.parse import unquote_to_bytes

    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return {"Authorization": "Basic " + b2a_base64(pair, newline=False).decode("ascii")}


def _retry_after(headers: Mapping[str, str]) -> float:
    """How long the server asks to be left alone, in seconds, at most `LONGEST_WAIT`; 0 if it does not.

    A date is compared with the server's own, for this machine's clock may be wrong.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return 0.0
    if value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    from email.utils import parsedate_to_datetime

    try:
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):  # no dates, or one with a time zone and one without
        return 0.0
    return min(max(0.0, pause.total_seconds()), LONGEST_WAIT)
