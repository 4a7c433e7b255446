"""Sockets that keep to a deadline.

A socket's own time-out starts anew with each byte that trickles in, so a slow or
hostile server could hold a boot for ever. These give up at a fixed moment, if
one is set.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

__all__ = ["PacedSocket", "PacedTlsSocket"]


class PacedSocket(socket.socket):
    """Adds `deadline` to a socket: monotonic time after which reading fails with `TimeoutError`."""

    deadline: float | None = None

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Read as the base class does, but not beyond the deadline."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the deadline has passed")
            self.settimeout(left)
        return super().recv_into(*arguments, **options)


class PacedTlsSocket(PacedSocket, ssl.SSLSocket):
    """A TLS socket with a deadline; made by a context with this as its `sslsocket_class`."""
