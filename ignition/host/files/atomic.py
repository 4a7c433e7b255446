"""Files of the running system that appear whole or not at all."""

from __future__ import annotations

import os

__all__ = ["write"]


def write(path: str, data: bytes, mode: int) -> None:
    """Write `data` beside `path`, and give it that name once it is on disk.

    Args:
        path: the file's name; what is there is replaced.
        data: the whole contents.
        mode: permissions, less the umask.

    Raises:
        OSError: it cannot be written; it names the file.
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
