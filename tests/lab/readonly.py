# SPDX-License-Identifier: Apache-2.0
"""Prove that code does not write: inside `only_looking()`, each write by the process is an error.

One audit hook sees all ways to write. Its exceptions derive from `BaseException`, so that no handler catches
them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Wrote", "only_looking"]

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = frozenset(
    f"os.{name}"
    for name in (
        "chmod", "chown", "link", "mkdir", "remove", "removexattr", "rename", "rmdir", "setxattr", "symlink",
        "truncate", "utime", "unshare",
    )
) | {"fcntl.flock", "shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp"}  # fmt: skip

_watching = False
_installed = False


class Wrote(BaseException):
    """The code wrote, or tried to write."""


@contextmanager
def only_looking() -> Iterator[None]:
    """Refuse to open files for writing, to create, move or remove files, and to change their attributes."""
    global _watching, _installed
    if not _installed:
        sys.addaudithook(_watch)
        _installed = True
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    _watching = True
    try:
        yield
    finally:
        _watching = False
        sys.dont_write_bytecode = bytecode


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not _watching:
        return
    if event in CHANGES:
        raise Wrote(f"{event} {arguments}")
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & WRITING and path != os.devnull:
            raise Wrote(f"opening {path!r} for writing")
