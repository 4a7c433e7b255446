"""What was appended to files that the config did not write: each fragment once, however often one runs.

Before anything is appended, the length that the file had is written down, in the target root itself, so
that it outlives a power cut. If what is to be appended follows that length, it was; others may have added
more since. If only its beginning does, an earlier run got so far, and only the rest is written. If anything
else does, the file has changed and the fragments are appended anew. The file stays the same file: its links,
labels and attributes remain.

The reference appends again in every run (engine.md 14, point 9).
"""

from __future__ import annotations

import json
import os
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.root import Root

__all__ = ["JOURNAL", "append_once"]

JOURNAL: Final = "/etc/.ignition-appended.json"
"""File → its length in bytes before the first append. It stands beside the result file."""

CHUNK: Final = 1 << 20


def append_once(root: Root, place: str, addition: str) -> bool:
    """Append the bytes of the file `addition` to the file `place`.

    Returns:
        Whether anything was left to append.
    """
    lengths = _read(root)
    length = root.lstat(place).st_size
    before = lengths.get(place, length)
    done = _already_there(root, place, before, addition)
    if done is None:
        before, done = length, 0
    if done == root.lstat(addition).st_size:
        return False
    if lengths.get(place) != before:
        _write(root, {**lengths, place: before})
    _append(root, place, addition, done)
    return True


def _already_there(root: Root, place: str, before: int, addition: str) -> int | None:
    """How much of `addition` follows the first `before` bytes; `None` if something else does."""
    done = left = min(root.lstat(place).st_size - before, root.lstat(addition).st_size)
    if done < 0:
        return None
    with root.open(place) as file, root.open(addition) as wanted:
        file.seek(before)
        while left:
            chunk = wanted.read(min(CHUNK, left))
            if not chunk or chunk != file.read(len(chunk)):
                return None
            left -= len(chunk)
    return done


def _append(root: Root, place: str, addition: str, skip: int) -> None:
    with root.open(addition) as source, root.open(place, append=True) as file:
        source.seek(skip)
        while chunk := source.read(CHUNK):
            file.write(chunk)


def _read(root: Root) -> dict[str, int]:
    try:
        lengths = json.loads(root.read(JOURNAL))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise IgnitionError(
            f"{JOURNAL} cannot be read",
            hint="remove it if nothing was appended to any file yet",
        ) from error
    return {str(path): int(length) for path, length in lengths.items()}


def _write(root: Root, lengths: dict[str, int]) -> None:
    """It has to be on the disk before the first byte is appended."""
    with root.replace(JOURNAL, mode=0o600) as file:
        file.write(json.dumps(lengths, indent=2, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
