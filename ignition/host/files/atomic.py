# SPDX-License-Identifier: Apache-2.0
"""Atomic replacement of files of the running system."""

from __future__ import annotations

import os

__all__ = ["write"]


def write(path: str, data: bytes, mode: int) -> None:
    """Write `data` to a temporary file beside `path`, sync it, and rename it to `path`.

    Args:
        path: the file; an existing one is replaced.
        data: the whole contents.
        mode: permissions; the umask is applied.

    Raises:
        OSError: the file cannot be written; `filename` is `path`.
    """
    beside = f"{path}.new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = path
        raise
    os.rename(beside, path)
