# SPDX-License-Identifier: Apache-2.0
"""HTTP client: accepted statuses, retries, redirects and time limits as in the reference.

One `fetch` is a series of attempts (`retry.retried`). An attempt starts at the URL of the request, follows
redirects (`redirect`), and ends with a complete body in the sink, with a final error, or with `Retry`. An
interrupted body is resumed if the server supports it (`resume`).

Source: docs/reference/fetching.md, "HTTP and HTTPS", "Redirects" and "Retries and timeouts".
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
"""Connect timeout in seconds; docs/reference/fetching.md, "HTTP and HTTPS"."""

STALL: Final = 60.0
"""Seconds without data after which a body is treated as interrupted."""

REDIRECTS: Final = 30
"""Maximum number of redirects in one attempt."""

EXPLANATION: Final = 64 * 1024
"""Bytes that are read of the body of an error response, which has the service's error code."""

EXPLANATION_WITHIN: Final = 10.0
"""Seconds after which reading that body ends."""

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
    """An HTTP client with fixed settings. Thread-safe.

    `clock`, `spread` and `stall` (seconds without data after which a body is treated as interrupted) are for
    tests.
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
        self._loaded: Transport | None = None

    def fetch(
        self,
        request: Request,
        sink: Sink,
        *,
        service: Service | None = None,
        deadline: Deadline | None = None,
    ) -> Response:
        """Fetch the resource into the sink, completely; the caller verifies it (`Sink.finish`).

        Args:
            request: the request.
            sink: the destination of the body.
            service: the object store on top of HTTP; None for plain HTTP.
            deadline: the deadline of a fetch that takes several requests; by default that of the settings.

        Raises:
            NotFound: status 404, unless the request accepts it.
            TimedOut: the total time expired.
            FetchError: the failure is not transient.
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
        hop = first.with_range(download.range_headers()).with_auth(download.auth_headers())
        with self._follow(hop, download, deadline) as reply:
            self._judge(reply, download, deadline)
            self._receive(reply, download, deadline)
            return Response(reply.status, reply.headers)

    def _follow(self, hop: Hop, download: Download, deadline: Deadline) -> Reply:
        """Send the request, follow redirects, and return the first response that is not a redirect."""
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
        header_limit = self._settings.response_headers if self._settings.response_headers > 0 else math.inf
        within = min(header_limit, deadline.left())
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
            raise Retry(download.with_location(cause, proxy)) from caught

    def _judge(self, reply: Reply, download: Download, deadline: Deadline) -> None:
        """Check the status of a response; return if its body is to be received.

        Raises:
            Retry: the status is transient.
            FetchError: the status is final.
        """
        status, request = reply.status, download.request
        if status == PARTIAL and download.continues_with(reply.headers):
            return
        if status in (PARTIAL, RANGE_NOT_SATISFIABLE) and download.resuming:
            download.discard_validator()
            raise Retry(NOT_CONTINUED.with_detail(f"({diagnosis.status_text(status)})"), progressed=True)
        if status in request.accept:
            download.start(reply)
            return
        cause = download.with_location(self._explain(reply, download.service, deadline))
        wait = headers.retry_after(reply.headers)
        asked_to_wait = status == TOO_MANY_REQUESTS and wait > 0
        if status >= SERVER_ERRORS or status in request.also_retry or asked_to_wait:
            raise Retry(cause, wait=wait)
        error_class = NotFound if status == NOT_FOUND else FetchError
        raise error_class(f"{download.what}: {cause}", hint=cause.hint)

    def _explain(self, reply: Reply, service: Service | None, deadline: Deadline) -> Cause:
        """Return the cause for a response that is not accepted, if possible from the service's error code."""
        by_status = diagnosis.explain_status(reply.status)
        if service is None or not deadline.left():
            return by_status
        body, end = b"", Deadline(self._clock, min(EXPLANATION_WITHIN, deadline.left()))
        try:
            for piece in reply.chunks(end.left):
                body += piece
                if len(body) >= EXPLANATION or not end.left():
                    break
        except ExchangeFailed:
            log.debug("the error response is incomplete")
        return service.explain(Response(reply.status, reply.headers, body)) or by_status

    def _receive(self, reply: Reply, download: Download, deadline: Deadline) -> None:
        """Write the body into the sink."""
        if not headers.is_framed(reply.headers):
            raise Retry(download.with_location(UNFRAMED))
        pieces = reply.chunks(lambda: min(self._stall, deadline.left()))
        while True:
            try:
                piece = next(pieces, b"")
            except ExchangeFailed as caught:
                silence = f"no data for {self._stall:g} s"
                cause = diagnosis.explain(caught, host="the server", silence=silence)
                raise download.interrupted(download.with_location(cause)) from caught
            if not piece:
                break
            download.write(piece)
            if not deadline.left():
                raise download.interrupted(Cause("time was up", "check the speed of network and server"))
        if reply.status == PARTIAL:
            download.check_range_complete()

    def _transport(self) -> Transport:
        """Return the transport, which is created for the first request."""
        with self._lock:
            if self._loaded is None:
                self._loaded = _load()(lambda: tls.context(self._settings.certificate_authorities))
            return self._loaded


def _load() -> type[Transport]:
    """Import the transport, and with it requests, without certifi and a character detector.

    requests imports certifi, whose CA bundle this engine does not use, and warns if charset_normalizer is
    missing, which this engine does not need either. Both may be missing (in the initramfs they are): certifi
    is replaced by a stub that returns the system's bundle, and the warning is suppressed.
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
