# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Storage: `gs://BUCKET/OBJECT` over its JSON API.

Source: docs/reference/fetching.md, "Google Cloud Storage".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ignition.errors import FetchError
from ignition.resource.credentials import Credentials
from ignition.resource.http.client import Http
from ignition.resource.http.request import Request, Response
from ignition.resource.redact import redact
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink
from ignition.url import MalformedUrl, parse_url

__all__ = ["CloudStorage", "media_url"]

ENDPOINT: Final = "https://storage.googleapis.com"


class CloudStorage:
    """Fetches objects. Thread-safe."""

    def __init__(self, http: Http, credentials: Credentials) -> None:
        self._http = http
        self._authorization = credentials.google

    def fetch(self, url: str, sink: Sink) -> None:
        """Fetch the object into the sink, completely but not verified; errors are those of `Http.fetch`."""
        self._http.fetch(Request(media_url(url)), sink, service=_Service(self._authorization))


class _Service:
    """Cloud Storage; `authorization` returns the value of `Authorization`, or None for anonymous access."""

    def __init__(self, authorization: Callable[[], str | None]) -> None:
        self._authorization = authorization
        self._has_token = False

    def auth_headers(self) -> Mapping[str, str]:
        """Return the token, if there is one."""
        authorization = self._authorization()
        self._has_token = authorization is not None
        return {} if authorization is None else {"Authorization": authorization}

    def explain(self, answer: Response) -> Cause | None:
        """Return the cause for statuses 401, 403 and 404."""
        if answer.status in {401, 403}:
            principal = "this machine's service account" if self._has_token else "everybody (allUsers)"
            return Cause(
                f"Cloud Storage denied access (HTTP {answer.status})",
                f"give {principal} the permission storage.objects.get on the bucket",
            )
        if answer.status == 404:
            return Cause(
                "bucket or object not found", "check bucket and object name, which are case sensitive"
            )
        return None


def media_url(url: str) -> str:
    """Return the URL of the contents of a `gs:` URL's object in the JSON API.

    The object name is one path segment, with its slashes escaped.

    Raises:
        FetchError: the URL is invalid or names no bucket or no object.
    """
    from urllib.parse import quote, unquote_to_bytes

    try:
        parts = parse_url(url)
    except MalformedUrl as caught:
        raise FetchError(f"{redact(url)} is not a URL: {caught}") from caught
    name = unquote_to_bytes(parts.path).lstrip(b"/")
    if not parts.host or not name:
        raise FetchError(f"{redact(url)}: the URL names no object", hint="use the form gs://BUCKET/OBJECT")
    return f"{ENDPOINT}/storage/v1/b/{quote(parts.host, safe='')}/o/{quote(name, safe='')}?alt=media"
