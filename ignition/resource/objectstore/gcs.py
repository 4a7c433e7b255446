"""Google Cloud Storage: `gs://bucket/object`, by the JSON API, over HTTP like everything else.

Source: engine.md section 7.4, providers.md section 5.11.
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
    """Fetches objects; any number of threads may use it at once."""

    def __init__(self, http: Http, credentials: Credentials) -> None:
        self._http = http
        self._authorization = credentials.google

    def fetch(self, url: str, sink: Sink) -> None:
        """Bring the object into the sink, complete but not verified; errors are those of `Http.fetch`."""
        self._http.fetch(Request(media_url(url)), sink, service=_Service(self._authorization))


class _Service:
    """Cloud Storage as it is spoken to with the machine's `Authorization`, if it has one."""

    def __init__(self, authorization: Callable[[], str | None]) -> None:
        self._authorization = authorization
        self._named = False

    def proofs(self) -> Mapping[str, str]:
        """The token, if there is one."""
        authorization = self._authorization()
        self._named = authorization is not None
        return {} if authorization is None else {"Authorization": authorization}

    def explain(self, answer: Response) -> Cause | None:
        """What the usual refusals mean here."""
        if answer.status in {401, 403}:
            who = "this machine's service account" if self._named else "everybody (allUsers)"
            return Cause(
                f"Cloud Storage denied access (HTTP {answer.status})",
                f"give {who} the permission storage.objects.get on the bucket",
            )
        if answer.status == 404:
            return Cause(
                "bucket or object not found", "check bucket and object name, which are case sensitive"
            )
        return None


def media_url(url: str) -> str:
    """Where the API has the contents of the object that a `gs:` URL names.

    The whole name of the object is one segment of the path, slashes and all.

    Raises:
        FetchError: it names no bucket or no object.
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
