"""How far the body of one resource has come, over all attempts to get it.

What broke off is continued where it ended, if the server can prove that it is still
the same file; else it begins anew.
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
"""Times in a row that a body may break off without one new byte, before that is final."""


class Download:
    """One resource on its way into the sink; `service` is whose words are spoken on top of HTTP."""

    def __init__(self, request: Request, sink: Sink, service: Service | None, clock: Clock) -> None:
        self.request = request
        self.sink = sink
        self.service = service
        self.redirected_to = ""
        self.what = f"{request.verb} {sink.name}"
        self._proof = "ETag"
        self._validator = ""
        self._size: int | None = None
        self._furthest = 0
        self._fruitless = 0
        self._started = False
        self._progress = progress.Download(self.what, clock.now)

    def took(self, piece: bytes) -> None:
        """The next bytes of the body."""
        self.sink.write(piece)
        self._progress.update(self.sink.received, self._size)

    def placed(self, cause: Cause, proxy: str = "") -> Cause:
        """The cause with where it happened, if that is not plain from the URL that was asked for."""
        places = [f"redirected to {self.redirected_to}"] if self.redirected_to else []
        if proxy:
            places.append(f"through the proxy {redact(proxy)}")
        return cause.with_detail(f"({', '.join(places)})") if places else cause

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

    def continues_with(self, answer: Mapping[str, str]) -> bool:
        """Whether a partial answer is of the rest that was asked for, and of the same file.

        A server that knows Range may not know If-Range, and send the rest of another file.
        """
        found = headers.content_range(answer)
        if not self.resuming or found is None:
            return False
        first, size = found
        same_file = answer.get(self._proof, self._validator) == self._validator
        if first != self.sink.received or not same_file:
            return False
        known, self._size = self._size, self._size if size is None else size
        return known in {None, self._size}

    def started(self, reply: Reply) -> None:
        """A whole body follows."""
        if not self._started:
            log.info(f"{self.what}: result: {diagnosis.status_text(reply.status)}")
        self._started = True
        self.sink.restart()
        strong = reply.headers.get("ETag", "").startswith('"')
        self._proof = "ETag" if strong else "Last-Modified"
        self._validator = reply.headers.get(self._proof, "")
        self._size = headers.content_length(reply.headers)
        encoding = reply.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            log.info(f"{self.what}: unrequested Content-Encoding {encoding[:40]!a}; bytes are used unchanged")

    def ended(self) -> None:
        """A partial answer is complete, which need not be all of the rest; nor may it be more than that."""
        missing = 0 if self._size is None else self._size - self.sink.received
        if missing < 0:
            self.forget()
        if missing:
            raise self.broken_off(Cause("the server sent another range than requested"))

    def forget(self) -> None:
        """The next attempt starts from nothing."""
        self._validator = ""

    def broken_off(self, cause: Cause) -> Retry | FetchError:
        """What to raise when the body ended before it was complete."""
        came = self.sink.received
        progressed = came > self._furthest
        self._furthest = max(came, self._furthest)
        self._fruitless = 0 if progressed else self._fruitless + 1
        of = "" if self._size is None else f" of {self._size}"
        cause = cause.with_detail(f"after {came}{of} bytes")
        if self._fruitless < FRUITLESS:
            return Retry(cause, progressed=progressed)
        return FetchError(
            f"{self.what}: {cause}, {self._fruitless + 1} times in a row without progress",
            hint=cause.hint,
        )
