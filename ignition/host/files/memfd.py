"""Files that are in memory alone and in no directory, for programs that take keys only from files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["in_memory"]


@contextmanager
def in_memory(data: bytes) -> Iterator[str]:
    """A path under which programs that run meanwhile can read `data`, as often as they like.

    It leads to a descriptor of this process (memfd_create(2), proc(5)): whoever may not look into this
    process cannot open it, and with the process it is gone.
    """
    descriptor = os.memfd_create("ignition")
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
