# SPDX-License-Identifier: Apache-2.0
"""Cache of images for boots: `$XDG_CACHE_HOME/ignition-lab`, with one folder per content.

The name of a folder contains a hash of all inputs, so changed inputs give another folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.commands import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PROJECT = Path(__file__).resolve().parents[2]
"""Root of the checkout."""

_KEPT = 3
"""Number of folders of one name that are kept, by last use."""
_IN_USE = 3600.0
"""Seconds after its last use for which a folder is kept in addition, because a boot may read from it."""


def directory() -> Path:
    """Return the folder of the cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ignition-lab"


def digest(parts: Iterable[str | bytes | Path]) -> str:
    """Return a short hash of strings, bytes, files and trees, with execute permissions, without byte code."""
    total = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            total.update(len(piece).to_bytes(8, "big") + piece)
    return total.hexdigest()[:16]


def _pieces(part: str | bytes | Path) -> Iterator[bytes]:
    if isinstance(part, str):
        yield part.encode()
    elif isinstance(part, bytes):
        yield part
    elif part.is_dir():
        for path in sorted(part.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(part)).encode()
                yield bytes([path.stat().st_mode & 0o111 != 0])
                yield path.read_bytes()
    else:
        yield part.read_bytes()


def made(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name-key`; call `make(folder)` if it does not exist.

    A lock serialises processes that need the same name. A folder is discarded if `make` fails.
    """
    folder = directory() / f"{name}-{key}"
    with _locked(name):
        if not folder.exists():
            started = time.monotonic()
            say(f"building {name} …")
            unfinished = folder.with_name(folder.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            make(unfinished)
            unfinished.rename(folder)
            say(f"built {name} in {time.monotonic() - started:.0f} s")
        os.utime(folder)
        _forget_old(name)
    return folder


def _forget_old(name: str) -> None:
    folders = sorted(
        (f for f in directory().glob(f"{name}-*") if f.is_dir()),
        key=lambda f: f.stat().st_mtime,
        reverse=True,
    )
    for old in folders[_KEPT:]:
        if time.time() - old.stat().st_mtime > _IN_USE:
            shutil.rmtree(old)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    directory().mkdir(parents=True, exist_ok=True)
    with (directory() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
