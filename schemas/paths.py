"""Rules on absolute paths. Source: config-spec section 5.1."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator

from ignition.diagnostics import Entry
from ignition.schemas.findings import error

__all__ = ["Prefixes", "check_path", "clean", "extension"]


def clean(path: str) -> str:
    """The path without `.`, `..`, doubled and trailing slashes, as Go's `path.Clean` does it."""
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)


def check_path(path: str, *where: str | int) -> Iterator[Entry]:
    """A path must be there, absolute, and in its simplest form."""
    if not path:
        yield error("path-missing", "the path is missing", *where)
    elif not path.startswith("/"):
        yield error("path-relative", "the path is not absolute", *where, hint=f"did you mean `/{path}`?")
    elif path != clean(path):
        yield error("path-unclean", "the path is not simplified", *where, hint=f"write `{clean(path)}`")


def extension(name: str) -> str:
    """What follows the last dot of the last element, with the dot; empty if there is none."""
    _, dot, after = name.rpartition("/")[2].rpartition(".")
    return dot + after if dot else ""


class Prefixes:
    """Answers how many of some paths stand above another one."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = Counter(paths)
        self._lengths = sorted({len(path) for path in self._paths})

    def above(self, path: str) -> int:
        """How many of the paths, with a slash added, does this path start with?"""
        return sum(
            self._paths[path[:length]]
            for length in self._lengths
            if length < len(path) and path[length] == "/"
        )
