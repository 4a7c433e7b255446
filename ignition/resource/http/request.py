# SPDX-License-Identifier: Apache-2.0
"""HTTP requests and responses as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Request", "Response"]


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    Attributes:
        url: an http or https URL; may have `user:password@`.
        verb: the method; providers use others than GET.
        headers: replace the engine's headers of the same name; dropped on a redirect to another host.
        body: the body, sent with each attempt.
        accept: statuses of a successful response.
        also_retry: statuses below 500 that are retried.
    """

    url: str = field(repr=False)
    verb: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    accept: frozenset[int] = frozenset({200, 204})
    also_retry: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Response:
    """An HTTP response.

    Attributes:
        status: the status after redirects.
        headers: the headers; names are case-insensitive.
        body: the whole body; empty if it was written to a sink.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
