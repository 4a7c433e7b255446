"""One request of a chain of redirects: what is sent, and to whom.

Source: engine.md section 7.1, providers.md section 2.1.
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
    def first(cls, request: Request) -> Hop:
        """The request as it leaves the machine."""
        own = {
            "User-Agent": f"Ignition/{VERSION}",
            "Accept": ACCEPT,
            "Accept-Encoding": "identity",
        }
        private = {**headers.basic(request.url), **headers.canonical(request.headers)}
        return cls(request.verb, request.url, own, private, request.body)

    def sent(self) -> dict[str, str]:
        """All headers that are sent, except for what the transport adds."""
        sizes_its_body = self.body is not None or self.verb not in {"GET", "HEAD"}
        length = {"Content-Length": str(len(self.body or b""))} if sizes_its_body else {}
        return {**self.own, **length, **self.private}

    def continuing(self, rest: Mapping[str, str]) -> Hop:
        """The same request with the headers that ask for the rest of a body."""
        return replace(self, own={**self.own, **rest})

    def proving(self, proofs: Mapping[str, str]) -> Hop:
        """The same request with the headers that show who asks."""
        return replace(self, private={**self.private, **proofs})

    def redirected(self, status: int, location: str) -> Hop:
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
            raise FetchError(f"{redact(self.url)}: redirected to an invalid URL: {redact(text)}") from caught
        target = Target.of(url)
        trusted = target.may_know_what_was_sent_to(Target.of(self.url))
        private = {**self.private, **headers.basic(url)} if trusted else headers.basic(url)
        if status in {307, 308} or self.verb in {"GET", "HEAD"}:
            return replace(self, url=url, private=private)
        return replace(self, url=url, private=private, verb="GET", body=None)
