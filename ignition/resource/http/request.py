"""What is asked of a server, and what it answered. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Request", "Response"]


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        url: http or https; may hold `user:password@`.
        verb: GET, unless a provider needs another one.
        headers: replace the engine's own of the same name; not sent on to another host.
        body: sent with each attempt.
        accept: statuses that are an answer.
        also_retry: statuses below 500 that may pass.
    """

    url: str = field(repr=False)
    verb: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    accept: frozenset[int] = frozenset({200, 204})
    also_retry: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Response:
    """What a server answered.

    Attributes:
        status: of the last answer, redirects followed.
        headers: names are found in any case.
        body: the whole body; empty if it was streamed elsewhere.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
