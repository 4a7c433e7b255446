"""Azure Blob Storage with the machine's own credentials: `https://ACCOUNT.blob.core.windows.net/container/blob`.

Such a URL is an ordinary one, and without an identity it is fetched like one. With
one it is first asked for by that name, and if that fails, like any other URL: the
blob may be public, or the URL may carry a signature of its own.

Source: engine.md section 7.5, section 14 point 18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ignition import log
from ignition.errors import FetchError, TimedOut
from ignition.host.source import Source
from ignition.resource.clock import SYSTEM_CLOCK, Clock, Deadline
from ignition.resource.credentials import Credentials
from ignition.resource.http.client import Http
from ignition.resource.http.request import Request, Response
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink
from ignition.url import MalformedUrl, parse_url

__all__ = ["BlobStorage", "is_blob"]

SUFFIX: Final = ".blob.core.windows.net"

LONGEST_CODE: Final = 64

API_VERSION: Final = "2020-10-02"
"""A version of the service's interface; tokens need 2017-11-09 or later."""


class BlobStorage:
    """Fetches blobs; any number of threads may use it at once.

    `total` is the time in seconds for both ways together, 0 for no limit.
    """

    def __init__(
        self, http: Http, credentials: Credentials, *, total: float = 0.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._http = http
        self._authorization = credentials.azure
        self._total = total
        self._clock = clock

    def fetch(self, source: Source, sink: Sink) -> None:
        """Bring the blob into the sink, complete but not verified; errors are those of `Http.fetch`."""
        deadline = Deadline(self._clock, self._total)
        if self._fetched_by_name(source, sink, deadline):
            return
        # The next answer that is taken restarts the sink: nothing of the first stays in it.
        self._http.fetch(Request(source.url, headers=source.headers), sink, deadline=deadline)

    def _fetched_by_name(self, source: Source, sink: Sink, deadline: Deadline) -> bool:
        try:
            authorization = self._authorization()
            if authorization is None:
                return False
            self._http.fetch(
                Request(source.url, headers=source.headers),
                sink,
                service=_Service(authorization),
                deadline=deadline,
            )
        except TimedOut:
            if not deadline.left():
                raise
            log.info(f"{sink.name}: timed out asking Azure for credentials; using anonymous access")
            return False
        except FetchError as caught:
            log.info(f"{caught}; using anonymous access")
            return False
        return True


class _Service:
    """Blob Storage as it is spoken to with this `Authorization`."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def proofs(self) -> Mapping[str, str]:
        """The token, and the version without which it is not looked at."""
        return {"Authorization": self._authorization, "X-Ms-Version": API_VERSION}

    def explain(self, answer: Response) -> Cause | None:
        """The service's own word for the refusal."""
        code = answer.headers.get("x-ms-error-code", "")
        if not code.isascii() or not code.isalnum() or len(code) > LONGEST_CODE:
            return None
        return Cause(
            f"Blob Storage returned {answer.status} {code}",
            "give this machine's managed identity the role Storage Blob Data Reader"
            if answer.status in {401, 403}
            else "",
        )


def is_blob(url: str) -> bool:
    """Whether a URL is that of a blob which the machine's identity may be shown to.

    Only over TLS, on the service's own port, and not if the URL carries a signature.
    """
    try:
        parts = parse_url(url)
    except MalformedUrl:
        return False
    container, _, blob = parts.path.lstrip("/").partition("/")
    return (
        parts.scheme == "https"
        and parts.host.lower().endswith(SUFFIX)
        and parts.userinfo is None
        and bool(container and blob)
        and parts.first("sig") is None
    )
