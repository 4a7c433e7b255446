# SPDX-License-Identifier: Apache-2.0
"""Rules for absolute paths. Source: docs/reference/config-language.md, "Path rules"."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator

from ignition.diagnostics import Entry
from ignition.schemas.findings import error

__all__ = ["Prefixes", "check_path", "clean", "extension"]


def clean(path: str) -> str:
    """Return the path without `.`, `..`, repeated and trailing slashes, like Go's `path.Clean`."""
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)


def check_path(path: str, *where: str | int) -> Iterator[Entry]:
    """Check that a path is set, absolute, and in its simplest form."""
    if not path:
        yield error("path-missing", "the path is missing", *where)
    elif not path.startswith("/"):
        yield error("path-relative", "the path is not absolute", *where, hint=f"write `/{path}`")
    elif path != clean(path):
        yield error(
            "path-unclean", "the path is not in its simplest form", *where, hint=f"write `{clean(path)}`"
        )


def extension(name: str) -> str:
    """Return the suffix of the last element with its dot; empty if it has no dot."""
    _, dot, after = name.rpartition("/")[2].rpartition(".")
    return dot + after if dot else ""


class Prefixes:
    """A set of paths that counts the parents of other paths."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = Counter(paths)
        self._lengths = sorted({len(path) for path in self._paths})

    def above(self, path: str) -> int:
        """Return the number of paths in the set that are parents of this path."""
        return sum(
            self._paths[path[:length]]
            for length in self._lengths
            if length < len(path) and path[length] == "/"
        )
