# SPDX-License-Identifier: Apache-2.0
"""The interface of services on top of HTTP: authentication and error codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ignition.resource.http.request import Response
from ignition.resource.retry_log import Cause

__all__ = ["Service"]


class Service(Protocol):
    """Authentication and error codes of one service; passed to `Http.fetch`."""

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request, with canonical names.

        Called before each attempt. The headers are dropped on a redirect to another host.
        """

    def explain(self, answer: Response) -> Cause | None:
        """Return the cause for an error response if it is more specific than the status, else None.

        The body is the start of the response body. It must not be quoted, because services repeat parts of
        the request in it.
        """
