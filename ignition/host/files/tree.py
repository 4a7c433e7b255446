"""The target's tree as it is: where its paths lead, and what stands there. Nothing is changed here.

Every path is resolved with `openat2` and `RESOLVE_IN_ROOT`: links, absolute ones too, and `..` stay inside
however they are chained, as they would after a `chroot`. The reference resolves one level of links in user
space and leaves the root through chains of them (engine.md 8.1 and 14, point 15).

The last component of a path is never followed, except for reading.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Final

from ignition.host.files import dirfd
from ignition.host.files.openat2 import open_in_root

__all__ = ["DIRECTORY", "MOST_LINKS", "Tree", "clean", "named"]

MOST_LINKS: Final = 40
"""As many links as the kernel follows in one path."""

MOST_KEPT: Final = 100
"""Directories that are kept open at once."""

DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Tree:
    """The tree of the machine that is being set up, to be looked at.

    All paths are paths in that tree, with or without a leading slash. Methods raise `OSError` with
    the path in the root as its file name.

    Attributes:
        path: where the tree is mounted in the running system, absolute.
        touched: paths that this run created or replaced; always empty where nothing can be changed.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path or "/")
        self.touched: Mapping[str, None] = {}
        self._pinned: int | None = None
        self._kept: dict[str, _Kept] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def outside(self, path: str) -> str:
        """The path by which the running system knows `path`; nothing is resolved."""
        return (self.path.rstrip("/") + clean(path)).rstrip("/") or "/"

    def lstat(self, path: str) -> os.stat_result:
        """The status of what stands at `path`; a link is not followed."""
        with self._parent(path) as (directory, name):
            return os.lstat(name, dir_fd=directory)

    def find(self, path: str) -> os.stat_result | None:
        """As `lstat`, but `None` when nothing is there."""
        try:
            return self.lstat(path)
        except FileNotFoundError:
            return None

    def exists(self, path: str) -> bool:
        """Whether anything, be it a dangling link, stands at `path`."""
        return self.find(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether `path` leads, by links or not, to a regular file."""
        try:
            with self._opened(clean(path), os.O_PATH) as descriptor:
                return stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return False
            raise

    def read(self, path: str) -> bytes:
        """All bytes of a file; links are followed inside the root."""
        with (
            self._opened(clean(path), os.O_RDONLY) as descriptor,
            open(descriptor, "rb", closefd=False) as file,
        ):
            return file.read()

    def read_text(self, path: str) -> str:
        """A file as text; what is not UTF-8 survives a round trip."""
        return self.read(path).decode("utf-8", "surrogateescape")

    def readlink(self, path: str) -> str:
        """The text of the link at `path`."""
        with self._parent(path) as (directory, name):
            return os.readlink(name, dir_fd=directory)

    def list(self, path: str) -> list[str]:
        """The names in a directory, sorted; links to it are followed inside the root."""
        with self._opened(clean(path), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            return sorted(os.listdir(descriptor))

    def writable(self, path: str) -> bool:
        """Whether names can be made in the directory `path`: not on a read-only or immutable one."""
        with self._opened(clean(path), DIRECTORY) as descriptor:
            return os.access(".", os.W_OK, dir_fd=descriptor)

    def group_of_new(self, path: str) -> int:
        """The id of the group that the kernel gives to what root makes at `path`; inode(7), set-group-ID bit.

        Directories above it that are missing would be made, and pass their group on.
        """
        try:
            with self._parent(path) as (directory, _):
                status = os.fstat(directory)
        except FileNotFoundError:
            return self.group_of_new(posixpath.dirname(self.resolve(path)))
        return status.st_gid if status.st_mode & stat.S_ISGID else 0

    def mount_id(self, path: str) -> int:
        """Which mount the directory `path` belongs to; renames work only within one."""
        with self._opened(clean(path), DIRECTORY) as descriptor:
            return dirfd.mount_id(descriptor)

    def resolve(self, path: str) -> str:
        """`path` with all links resolved but that of its last component.

        Components that do not exist are taken as they stand.
        """
        parent, name = posixpath.split(clean(path))
        return posixpath.join(self._follow(parent, MOST_LINKS), name)

    def follow(self, path: str) -> str:
        """The directory that `path` leads to, all links resolved, whether it exists or not."""
        return self._follow(clean(path), MOST_LINKS)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Resolve each directory once, however many files inside are made or looked at in this block.

        Nobody else may move or remove directories meanwhile, or mount over them. Only directories whose
        path holds no link are kept, so that no link that is made here changes what a path leads to.
        """
        outer, self._kept = self._kept, {}
        try:
            yield
        finally:
            self._kept = outer

    @contextmanager
    def _top(self) -> Iterator[int]:
        """The root directory. It is opened each time: a file system may have been mounted over it."""
        if self._pinned is not None:
            yield self._pinned
            return
        descriptor = os.open(self.path, DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        """`path` opened, links resolved in the root; errors tell the path in the root."""
        with self._top() as top, named(path):
            descriptor = open_in_root(top, path, flags | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _parent(self, path: str) -> AbstractContextManager[tuple[int, str]]:
        """The directory that holds `path`, opened, and the last component."""
        whole, parent, name = _parts(path)
        kept = self._keep(parent)
        return self._open_parent(whole, parent, name) if kept is None else _InKept(kept, whole, name)

    @contextmanager
    def _open_parent(self, whole: str, parent: str, name: str) -> Iterator[tuple[int, str]]:
        with self._opened(parent, DIRECTORY) as descriptor, named(whole):
            yield descriptor, name or "."

    def _keep(self, path: str) -> _Kept | None:
        """The directory at `path`, open, if it may stay so."""
        if self._kept is None or self._pinned is not None:
            return None
        found = self._kept.get(path)
        if found is None:
            with self._top() as top, self._opened(path, DIRECTORY) as descriptor:
                if _path_below(top, descriptor) != path:
                    return None
                found = _Kept(os.dup(descriptor))
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[path] = found
        return found

    def _follow(self, path: str, links: int) -> str:
        """`follow`, with a limit for links that lead to what does not exist; the kernel has its own."""
        try:
            if self._keep(path) is not None:
                return path
            with self._top() as top, self._opened(path, DIRECTORY) as descriptor:
                return _path_below(top, descriptor)
        except FileNotFoundError:
            if path == "/":
                raise
        directory, name = posixpath.split(path.rstrip("/"))
        parent = self._follow(directory or "/", links)
        if name in {"", "."}:
            return parent
        if name == "..":
            return posixpath.dirname(parent)
        place = posixpath.join(parent, name)
        found = self.find(place)
        if found is None or not stat.S_ISLNK(found.st_mode):
            return place
        if not links:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        return self._follow(posixpath.join(parent, self.readlink(place)), links - 1)


class _Kept:
    """A directory that stays open until its last user, in whatever thread, is done with it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class _InKept:
    """A place in a directory that is kept open. No generator: a stage with many files passes here often."""

    def __init__(self, kept: _Kept, path: str, name: str) -> None:
        self._kept = kept
        self._path = path
        self._name = name or "."

    def __enter__(self) -> tuple[int, str]:
        return self._kept.descriptor, self._name

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            _name(error, self._path)


@contextmanager
def named(path: str) -> Iterator[None]:
    """Let errors inside tell the whole path in the root, not the last component only."""
    try:
        yield
    except OSError as error:
        _name(error, path)
        raise


def _name(error: OSError, path: str) -> None:
    error.filename = path
    del error.filename2


@lru_cache(maxsize=64)
def clean(path: str) -> str:
    """The path, absolute and lexically clean, as the spec's rules for paths have it."""
    if "\0" in path:
        raise OSError(errno.EINVAL, "a path cannot hold a zero byte", path.replace("\0", "�"))
    return posixpath.normpath("/" + path.lstrip("/"))


@lru_cache(maxsize=64)
def _parts(path: str) -> tuple[str, str, str]:
    """A clean path, its directory and its last component. A file is come back to several times in a row."""
    whole = clean(path)
    parent, _, name = whole.rpartition("/")
    return whole, parent or "/", name


def _path_below(top: int, descriptor: int) -> str:
    """Where an open directory is, seen from the root."""
    above = os.readlink(f"/proc/self/fd/{top}").rstrip("/")
    return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(above) or "/"
