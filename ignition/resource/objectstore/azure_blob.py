# SPDX-License-Identifier: Apache-2.0
"""Azure Blob Storage with the machine's managed identity.

URLs are `https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB`. Without an identity such a URL is fetched
like any other. With an identity it is first requested with its token, and after a failure like any other URL,
because the blob may be public.

Source: docs/reference/fetching.md, "Azure Blob Storage".
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
"""API version of the service; tokens need 2017-11-09 or later."""


class BlobStorage:
    """Fetches blobs. Thread-safe.

    `total` is the time limit in seconds for both requests together, 0 for no limit.
    """

    def __init__(
        self, http: Http, credentials: Credentials, *, total: float = 0.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._http = http
        self._authorization = credentials.azure
        self._total = total
        self._clock = clock

    def fetch(self, source: Source, sink: Sink) -> None:
        """Fetch the blob into the sink, completely but not verified; errors are those of `Http.fetch`."""
        deadline = Deadline(self._clock, self._total)
        if self._fetched_with_identity(source, sink, deadline):
            return
        # `Http.fetch` restarts the sink for a new response, so data of the failed request is discarded.
        self._http.fetch(Request(source.url, headers=source.headers), sink, deadline=deadline)

    def _fetched_with_identity(self, source: Source, sink: Sink, deadline: Deadline) -> bool:
        """Fetch the blob with the machine's token; return False without a token or on failure."""
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
    """Blob Storage with a value of `Authorization`."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def auth_headers(self) -> Mapping[str, str]:
        """Return the token, and the API version that it requires."""
        return {"Authorization": self._authorization, "X-Ms-Version": API_VERSION}

    def explain(self, answer: Response) -> Cause | None:
        """Return a cause with the service's error code, if the response has one."""
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
    """Whether a URL is that of a blob and the machine's token may be sent to it.

    The URL must be https on the default port, without userinfo and without a signature (`sig`).
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
