# SPDX-License-Identifier: Apache-2.0
"""A client for the metadata services of clouds, which answer over link-local HTTP.

Each question has a time limit: a service that does not answer must not stop a boot that does not need it.
Settings of a config (proxies, certificate authorities) do not apply.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ignition.errors import FetchError
from ignition.resource.http.request import Request

if TYPE_CHECKING:
    from ignition.resource import Fetcher

__all__ = ["METADATA", "MetadataService"]

METADATA: Final = "http://169.254.169.254"

WITHIN: Final = 15.0
"""Time limit of a question with all its retries, in seconds."""
ANSWER: Final = 5.0
"""Time limit of one attempt, in seconds."""


class MetadataService:
    """A metadata service below one URL. Errors never quote its answers, which are secret."""

    def __init__(self, fetcher: Fetcher, base: str) -> None:
        from ignition.resource import Settings

        self._fetcher = fetcher.with_settings(Settings(response_headers=ANSWER, total=WITHIN))
        self._base = base

    def get(
        self, path: str, *headers: tuple[str, str], verb: str = "GET", refused: frozenset[int] = frozenset()
    ) -> str:
        """Return the answer as text; empty for a status in `refused`."""
        accept = frozenset({200}) | refused
        answer = self._fetcher.request(Request(self._base + path, verb, headers, accept=accept))
        return "" if answer.status in refused else answer.body.decode("utf-8", "replace")

    def object(self, path: str, *headers: tuple[str, str]) -> dict[str, Any]:
        """Return the JSON object of an answer."""
        return self.parse(self.get(path, *headers))

    def parse(self, answer: str) -> dict[str, Any]:
        """Parse the JSON object of an answer."""
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError) as caught:
            raise self.unexpected() from caught
        if not isinstance(found, dict):
            raise self.unexpected()
        return found

    def string(self, found: dict[str, Any], name: str) -> str:
        """Return a non-empty string member of an object."""
        value = found.get(name)
        if not isinstance(value, str) or not value:
            raise self.unexpected()
        return value

    def unexpected(self) -> FetchError:
        """Return the error for an unexpected answer."""
        return FetchError(f"unexpected answer of the metadata service at {self._base}")
