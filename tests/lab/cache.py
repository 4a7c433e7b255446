"""What is made once and used by many boots: `$XDG_CACHE_HOME/ignition-lab`, one folder per content.

A folder is named after what it holds and a hash of everything it was made from, so
nothing in here is ever stale: changed inputs give another name.
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
"""The checkout that is tested."""

_KEPT = 3
"""How many folders of one name stay in any case, counted from the last used one."""
_IN_USE = 3600.0
"""Seconds after its last use in which a folder stays too: a boot may still read from it."""


def directory() -> Path:
    """The cache's own folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ignition-lab"


def digest(parts: Iterable[str | bytes | Path]) -> str:
    """One short hash of strings, bytes, files and whole trees (without byte code); modes count too."""
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
    """The folder `name-key`; made with `make(folder)` if it is not there.

    Two programs that want the same thing at once wait for each other. A folder whose making
    failed is not kept.
    """
    folder = directory() / f"{name}-{key}"
    with _locked(name):
        if not folder.exists():
            started = time.monotonic()
            say(f"making {name} …")
            unfinished = folder.with_name(folder.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            make(unfinished)
            unfinished.rename(folder)
            say(f"made {name} in {time.monotonic() - started:.0f} s")
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
