# SPDX-License-Identifier: Apache-2.0
"""Files in memory, for programs that read keys only from a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["memory_file"]


@contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """Yield a path from which programs can read `data` inside the block, any number of times.

    The path is a descriptor of this process (memfd_create(2), proc_pid_fd(5)). Only processes that may
    inspect this one can open it, and it disappears with the process.
    """
    descriptor = os.memfd_create("ignition")
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
