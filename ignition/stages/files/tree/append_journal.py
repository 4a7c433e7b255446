# SPDX-License-Identifier: Apache-2.0
"""The append journal: each fragment is appended once, however often the stage runs.

Before the first append, the length of the file is written to a journal in the target root, which survives
a power cut. If the fragment follows at that length, it was appended before, and others may have added more.
If only a beginning of it follows, an interrupted run wrote that, and the rest is appended. If anything else
follows, the file changed and the fragment is appended again. The inode stays the same: hard links, labels
and attributes remain.

The reference appends again in every run (docs/compatibility.md).
"""

from __future__ import annotations

import json
import os
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.root import Root

__all__ = ["JOURNAL", "append_once"]

JOURNAL: Final = "/etc/.ignition-appended.json"
"""JSON object: file → length in bytes before the first append."""

CHUNK: Final = 1 << 20


def append_once(root: Root, place: str, addition: str) -> bool:
    """Append the bytes of the file `addition` to the file `place`; return whether anything was appended."""
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
    """Return how many bytes of `addition` follow the first `before` bytes; None if others follow."""
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
            f"cannot read {JOURNAL}: not a JSON object of lengths",
            hint=f"remove {JOURNAL} if nothing was appended to any file yet",
        ) from error
    return {str(path): int(length) for path, length in lengths.items()}


def _write(root: Root, lengths: dict[str, int]) -> None:
    """Write the journal to disk before the first byte is appended."""
    with root.replace(JOURNAL, mode=0o600) as file:
        file.write(json.dumps(lengths, indent=2, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
