# SPDX-License-Identifier: Apache-2.0
"""Sockets with a deadline.

The timeout of a socket starts again with each byte, so a slow or hostile server could block a boot without
limit. These sockets time out at a fixed time, if one is set.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

__all__ = ["DeadlineSocket", "DeadlineTlsSocket"]


class DeadlineSocket(socket.socket):
    """A socket whose reads raise `TimeoutError` after `deadline`, in seconds of `time.monotonic`."""

    deadline: float | None = None

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Read like the base class, but not beyond the deadline."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the deadline has passed")
            self.settimeout(left)
        return super().recv_into(*arguments, **options)


class DeadlineTlsSocket(DeadlineSocket, ssl.SSLSocket):
    """A TLS socket with a deadline, created by a context with this as its `sslsocket_class`."""
