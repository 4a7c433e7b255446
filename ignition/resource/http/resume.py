# SPDX-License-Identifier: Apache-2.0
"""The state of one download over all attempts, and resumption of interrupted bodies (RFC 9110 section 14).

An interrupted body is resumed with a Range request if the response had a validator (strong ETag or
Last-Modified); otherwise the download restarts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.errors import FetchError
from ignition.host import progress
from ignition.resource import diagnosis
from ignition.resource.clock import Clock
from ignition.resource.http import headers
from ignition.resource.http.request import Request
from ignition.resource.objectstore.service import Service
from ignition.resource.redact import redact
from ignition.resource.retry import Retry
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink

if TYPE_CHECKING:
    from ignition.resource.http.transport import Reply

__all__ = ["Download"]

FRUITLESS: Final = 5
"""Retries after interruptions without new data; one more interruption is a final failure."""


class Download:
    """The download of one resource into a sink; `service` is the object store on top of HTTP, if any."""

    def __init__(self, request: Request, sink: Sink, service: Service | None, clock: Clock) -> None:
        self.request = request
        self.sink = sink
        self.service = service
        self.redirected_to = ""
        self.what = f"{request.verb} {sink.name}"
        self._validator_header = "ETag"
        self._validator = ""
        self._size: int | None = None
        self._furthest = 0
        self._fruitless = 0
        self._started = False
        self._progress = progress.Download(self.what, clock.now)

    def write(self, piece: bytes) -> None:
        """Write the next bytes of the body and report progress."""
        self.sink.write(piece)
        self._progress.update(self.sink.received, self._size)

    def with_location(self, cause: Cause, proxy: str = "") -> Cause:
        """Return the cause with the redirect target and the proxy, if any, as its detail."""
        places = [f"redirected to {self.redirected_to}"] if self.redirected_to else []
        if proxy:
            places.append(f"through the proxy {redact(proxy)}")
        return cause.with_detail(f"({', '.join(places)})") if places else cause

    @property
    def resuming(self) -> bool:
        """Whether the next attempt requests only the rest of the body."""
        return bool(self.sink.received and self._validator)

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate an attempt; new for each one, because signatures expire."""
        return {} if self.service is None else self.service.auth_headers()

    def range_headers(self) -> dict[str, str]:
        """Return the headers that request the rest of an unchanged resource; empty to request all of it."""
        if not self.resuming:
            return {}
        return {"Range": f"bytes={self.sink.received}-", "If-Range": self._validator}

    def continues_with(self, answer: Mapping[str, str]) -> bool:
        """Whether a partial response has the requested rest of the same resource.

        A server may support Range without If-Range and send the rest of a changed resource.
        """
        content_range = headers.content_range(answer)
        if not self.resuming or content_range is None:
            return False
        first, size = content_range
        is_unchanged = answer.get(self._validator_header, self._validator) == self._validator
        if first != self.sink.received or not is_unchanged:
            return False
        previous, self._size = self._size, self._size if size is None else size
        return previous in {None, self._size}

    def start(self, reply: Reply) -> None:
        """Prepare for a complete body: reset the sink, remember validator and size."""
        if not self._started:
            log.info(f"{self.what}: result: {diagnosis.status_text(reply.status)}")
        self._started = True
        self.sink.restart()
        has_strong_etag = reply.headers.get("ETag", "").startswith('"')
        self._validator_header = "ETag" if has_strong_etag else "Last-Modified"
        self._validator = reply.headers.get(self._validator_header, "")
        self._size = headers.content_length(reply.headers)
        encoding = reply.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            log.info(f"{self.what}: unrequested Content-Encoding {encoding[:40]!a}; bytes are used unchanged")

    def check_range_complete(self) -> None:
        """Check at the end of a partial response that the body is complete; a server may send less or more.

        Raises:
            Retry: the body is incomplete or too long.
            FetchError: as for `interrupted`.
        """
        missing = 0 if self._size is None else self._size - self.sink.received
        if missing < 0:
            self.discard_validator()
        if missing:
            raise self.interrupted(Cause("the server sent another range than requested"))

    def discard_validator(self) -> None:
        """Make the next attempt restart the download."""
        self._validator = ""

    def interrupted(self, cause: Cause) -> Retry | FetchError:
        """Return the exception for an incomplete body; final after `FRUITLESS` retries without new data."""
        received = self.sink.received
        progressed = received > self._furthest
        self._furthest = max(received, self._furthest)
        self._fruitless = 0 if progressed else self._fruitless + 1
        of = "" if self._size is None else f" of {self._size}"
        cause = cause.with_detail(f"after {received}{of} bytes")
        if self._fruitless < FRUITLESS:
            return Retry(cause, progressed=progressed)
        return FetchError(
            f"{self.what}: {cause}, {self._fruitless + 1} times in a row without progress",
            hint=cause.hint,
        )
