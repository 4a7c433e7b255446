"""What a service on top of HTTP has of its own: how it wants to know who asks, and how it says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ignition.resource.http.request import Response
from ignition.resource.retry_log import Cause

__all__ = ["Service"]


class Service(Protocol):
    """The ways of one service; handed to `Http.fetch` with the request."""

    def proofs(self) -> Mapping[str, str]:
        """Headers that show who asks, in the form in which they are sent.

        Asked for before each attempt. They are private: a redirect to another host
        does not take them along.
        """

    def explain(self, answer: Response) -> Cause | None:
        """Why this answer is a refusal, if that can be said better than by its status.

        The body is the answer's start. It must not be quoted: services like to repeat
        in it what they were sent.
        """
