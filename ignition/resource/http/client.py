"""HTTP as the reference speaks it: which answers count, what is tried again, and in which time.

One `fetch` is a series of attempts (`retry.retried`). An attempt starts at the
URL that was asked for, follows redirects (`hop`), and ends with a complete body in the
sink, with a final error, or with `Retry`. A body that broke off is continued if that
can be done (`download`).

Source: engine.md section 7.1, providers.md section 2.
"""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.errors import FetchError, NotFound
from ignition.lazy import requires
from ignition.resource import diagnosis, tls
from ignition.resource.clock import SYSTEM_CLOCK, Clock, Deadline
from ignition.resource.diagnosis import ExchangeFailed
from ignition.resource.http import headers
from ignition.resource.http.endpoint import Target
from ignition.resource.http.redirect import Hop
from ignition.resource.http.request import Request, Response
from ignition.resource.http.resume import Download
from ignition.resource.objectstore.service import Service
from ignition.resource.redact import redact
from ignition.resource.retry import Jitter, Retry, jitter, retried
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink

if TYPE_CHECKING:
    from ignition.resource.http.transport import Reply, Transport
    from ignition.resource.settings import Settings

__all__ = ["Http"]

CONNECT: Final = 30.0
"""Seconds for a connection to stand (engine.md 7.1)."""

STALL: Final = 60.0
"""Seconds without a byte after which a body counts as broken off."""

REDIRECTS: Final = 30
"""Redirects that one attempt follows."""

EXPLANATION: Final = 64 * 1024
"""Bytes that are read of the body in which a service explains a refusal."""

EXPLANATION_WITHIN: Final = 10.0
"""Seconds after which the rest of that body is done without."""

NOT_CONTINUED: Final = Cause("the server cannot go on where the body is incomplete")

UNFRAMED: Final = Cause(
    "the response has no valid length",
    "correct Content-Length or Transfer-Encoding on the server or proxy",
)

PARTIAL: Final = 206
NOT_FOUND: Final = 404
RANGE_NOT_SATISFIABLE: Final = 416
TOO_MANY_REQUESTS: Final = 429
SERVER_ERRORS: Final = 500


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
        download = Download(request, sink, service, self._clock)
        hop = Hop.first(request)
        return retried(
            lambda deadline: self._attempt(download, hop, deadline),
            what=download.what,
            total=self._settings.total,
            deadline=deadline,
            clock=self._clock,
            spread=self._spread,
        )

    def _attempt(self, download: Download, first: Hop, deadline: Deadline) -> Response:
        hop = first.continuing(download.range_headers()).proving(download.proofs())
        with self._follow(hop, download, deadline) as reply:
            self._judge(reply, download, deadline)
            self._receive(reply, download, deadline)
            return Response(reply.status, reply.headers)

    def _follow(self, hop: Hop, download: Download, deadline: Deadline) -> Reply:
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
            f"{download.what}: more than {REDIRECTS} redirects, the last one to {redact(hop.url)}",
            hint="check the server for a redirect loop",
        )

    def _send(self, hop: Hop, download: Download, deadline: Deadline) -> Reply:
        target = Target.of(hop.url)
        proxy = self._settings.proxies.choose(target.scheme, target.host, target.port)
        silence = self._settings.response_headers if self._settings.response_headers > 0 else math.inf
        within = min(silence, deadline.left())
        try:
            return self._transport().send(
                hop.verb,
                target.wire,
                {"Host": target.authority, **hop.sent()},
                hop.body,
                proxy=proxy,
                connect=min(CONNECT, deadline.left()),
                headers_within=within,
            )
        except ExchangeFailed as caught:
            cause = diagnosis.explain(caught, host=target.host, silence=f"no response within {within:.3g} s")
            raise Retry(download.placed(cause, proxy)) from caught

    def _judge(self, reply: Reply, download: Download, deadline: Deadline) -> None:
        """Return if the body is to be received; `download` then knows whether it continues."""
        status, request = reply.status, download.request
        if status == PARTIAL and download.continues_with(reply.headers):
            return
        if status in (PARTIAL, RANGE_NOT_SATISFIABLE) and download.resuming:
            download.forget()
            raise Retry(NOT_CONTINUED.with_detail(f"({diagnosis.status_text(status)})"), progressed=True)
        if status in request.accept:
            download.started(reply)
            return
        cause = download.placed(self._explain(reply, download.service, deadline))
        wait = headers.retry_after(reply.headers)
        asked_to_wait = status == TOO_MANY_REQUESTS and wait > 0
        if status >= SERVER_ERRORS or status in request.also_retry or asked_to_wait:
            raise Retry(cause, wait=wait)
        kind = NotFound if status == NOT_FOUND else FetchError
        raise kind(f"{download.what}: {cause}", hint=cause.hint)

    def _explain(self, reply: Reply, service: Service | None, deadline: Deadline) -> Cause:
        """Why this answer is none: in the service's words if it has any."""
        known = diagnosis.explain_status(reply.status)
        if service is None or not deadline.left():
            return known
        body, end = b"", Deadline(self._clock, min(EXPLANATION_WITHIN, deadline.left()))
        try:
            for piece in reply.chunks(end.left):
                body += piece
                if len(body) >= EXPLANATION or not end.left():
                    break
        except ExchangeFailed:
            log.debug("the error response is incomplete")
        return service.explain(Response(reply.status, reply.headers, body)) or known

    def _receive(self, reply: Reply, download: Download, deadline: Deadline) -> None:
        """Move the body into the sink."""
        if not headers.is_framed(reply.headers):
            raise Retry(download.placed(UNFRAMED))
        pieces = reply.chunks(lambda: min(self._stall, deadline.left()))
        while True:
            try:
                piece = next(pieces, b"")
            except ExchangeFailed as caught:
                silence = f"no data for {self._stall:g} s"
                cause = diagnosis.explain(caught, host="the server", silence=silence)
                raise download.broken_off(download.placed(cause)) from caught
            if not piece:
                break
            download.took(piece)
            if not deadline.left():
                raise download.broken_off(Cause("time was up", "check the speed of network and server"))
        if reply.status == PARTIAL:
            download.ended()

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
        with requires("http sources", "requests", "urllib3", "idna"):
            from ignition.resource.http.transport import Transport
    return Transport
