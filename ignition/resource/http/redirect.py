# SPDX-License-Identifier: Apache-2.0
"""The requests of a redirect chain: URL, method and headers of each.

Source: docs/reference/fetching.md, "HTTP and HTTPS" and "Redirects".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ignition.errors import FetchError
from ignition.resource.http import headers
from ignition.resource.http.endpoint import Target
from ignition.resource.http.request import Request
from ignition.resource.redact import redact
from ignition.version import VERSION

__all__ = ["Hop"]

ACCEPT: Final = "application/vnd.coreos.ignition+json;version=3.6.0, */*;q=0.1"


@dataclass(frozen=True)
class Hop:
    """One request of a redirect chain.

    Attributes:
        verb: the method.
        url: the URL, which may have userinfo.
        own: headers of the engine, sent to every host.
        private: headers of the config or the provider, and credentials, sent only to the host of the URL.
        body: the request body, if any.
    """

    verb: str
    url: str
    own: Mapping[str, str]
    private: Mapping[str, str]
    body: bytes | None = None

    @classmethod
    def first(cls, request: Request) -> Hop:
        """Return the first request of the chain."""
        own = {
            "User-Agent": f"Ignition/{VERSION}",
            "Accept": ACCEPT,
            "Accept-Encoding": "identity",
        }
        private = {**headers.basic(request.url), **headers.canonical(request.headers)}
        return cls(request.verb, request.url, own, private, request.body)

    def sent(self) -> dict[str, str]:
        """Return all headers except those that the transport adds."""
        needs_length = self.body is not None or self.verb not in {"GET", "HEAD"}
        length = {"Content-Length": str(len(self.body or b""))} if needs_length else {}
        return {**self.own, **length, **self.private}

    def with_range(self, range_headers: Mapping[str, str]) -> Hop:
        """Return the request with the headers that resume a body."""
        return replace(self, own={**self.own, **range_headers})

    def with_auth(self, auth_headers: Mapping[str, str]) -> Hop:
        """Return the request with the headers that authenticate it."""
        return replace(self, private={**self.private, **auth_headers})

    def redirected(self, status: int, location: str) -> Hop:
        """Return the request to the target of a redirect.

        Private headers are kept only for the same host, and never from https to http. The method becomes GET
        except after 307 and 308 (RFC 9110 section 15.4). The reference drops all headers on every redirect;
        then the server may compress the body, and the reference decompresses it on its own.

        Raises:
            FetchError: the location is not a valid http(s) URL.
        """
        from urllib.parse import urljoin

        # http.client decodes headers as Latin-1; unescaped characters in Location are usually UTF-8.
        text = location.encode("latin-1", "replace").decode("utf-8", "replace")
        try:
            url = urljoin(self.url, text)
        except ValueError as caught:
            raise FetchError(f"{redact(self.url)}: redirected to an invalid URL: {redact(text)}") from caught
        target = Target.of(url)
        keeps_headers = target.may_receive_headers_of(Target.of(self.url))
        private = {**self.private, **headers.basic(url)} if keeps_headers else headers.basic(url)
        if status in {307, 308} or self.verb in {"GET", "HEAD"}:
            return replace(self, url=url, private=private)
        return replace(self, url=url, private=private, verb="GET", body=None)
