# SPDX-License-Identifier: Apache-2.0
"""The target root for reading: path resolution and file contents. Nothing is changed here.

Every path is resolved with `openat2` and `RESOLVE_IN_ROOT`: symlinks, also absolute ones and chains of them,
and `..` stay inside the root, as after a `chroot`. The reference resolves one level of symlinks in user space
and leaves the root through chains (docs/reference/stages.md, "Target paths").

A symlink as the last component is not followed, except for reading.
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

from ignition.host.files import directory_entry
from ignition.host.files.openat2 import open_in_root

__all__ = ["DIRECTORY", "MAX_SYMLINKS", "RootView", "clean", "path_in_errors"]

MAX_SYMLINKS: Final = 40
"""The kernel's limit of symlinks in one path; path_resolution(7)."""

MAX_CACHED: Final = 100
"""Directories that are kept open at the same time."""

DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class RootView:
    """The target root for reading.

    All paths are paths in the target root, with or without a leading slash. Methods raise `OSError` with
    that path as `filename`.

    Attributes:
        path: absolute path of the target root in the running system.
        touched: paths that this run created or replaced; always empty in a read-only view.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path or "/")
        self.touched: Mapping[str, None] = {}
        self._pinned: int | None = None
        self._cache: dict[str, _OpenDirectory] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def host_path(self, path: str) -> str:
        """Return the path in the running system; symlinks are not resolved."""
        return (self.path.rstrip("/") + clean(path)).rstrip("/") or "/"

    def lstat(self, path: str) -> os.stat_result:
        """Return the status of `path`; a symlink is not followed."""
        with self._parent(path) as (directory, name):
            return os.lstat(name, dir_fd=directory)

    def find(self, path: str) -> os.stat_result | None:
        """Return the status of `path`, or None if it does not exist."""
        try:
            return self.lstat(path)
        except FileNotFoundError:
            return None

    def exists(self, path: str) -> bool:
        """Whether `path` exists, also as a dangling symlink."""
        return self.find(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether `path` is a regular file, symlinks followed."""
        try:
            with self._opened(clean(path), os.O_PATH) as descriptor:
                return stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return False
            raise

    def read(self, path: str) -> bytes:
        """Read a whole file, symlinks followed inside the root."""
        with (
            self._opened(clean(path), os.O_RDONLY) as descriptor,
            open(descriptor, "rb", closefd=False) as file,
        ):
            return file.read()

    def read_text(self, path: str) -> str:
        """Read a file as text; bytes that are not UTF-8 become surrogate escapes."""
        return self.read(path).decode("utf-8", "surrogateescape")

    def readlink(self, path: str) -> str:
        """Return the target of a symlink."""
        with self._parent(path) as (directory, name):
            return os.readlink(name, dir_fd=directory)

    def list(self, path: str) -> list[str]:
        """Return the sorted names in a directory, symlinks followed inside the root."""
        with self._opened(clean(path), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            return sorted(os.listdir(descriptor))

    def is_writable(self, path: str) -> bool:
        """Whether names can be created in a directory: false if it is read-only or immutable."""
        with self._opened(clean(path), DIRECTORY) as descriptor:
            return os.access(".", os.W_OK, dir_fd=descriptor)

    def group_of_new(self, path: str) -> int:
        """Return the group id that the kernel would give to an object that root creates at `path`.

        The nearest existing directory above decides, because created directories inherit its group.
        Source: inode(7), set-group-ID bit.
        """
        try:
            with self._parent(path) as (directory, _):
                status = os.fstat(directory)
        except FileNotFoundError:
            return self.group_of_new(posixpath.dirname(self.resolve(path)))
        return status.st_gid if status.st_mode & stat.S_ISGID else 0

    def mount_id(self, path: str) -> int:
        """Return the id of the mount of a directory; renames work only within one mount."""
        with self._opened(clean(path), DIRECTORY) as descriptor:
            return directory_entry.mount_id(descriptor)

    def resolve(self, path: str) -> str:
        """Return `path` with all symlinks resolved except the last component.

        Components that do not exist stay unchanged.
        """
        parent, name = posixpath.split(clean(path))
        return posixpath.join(self._follow(parent, MAX_SYMLINKS), name)

    def follow(self, path: str) -> str:
        """Return `path` with all symlinks resolved, whether it exists or not."""
        return self._follow(clean(path), MAX_SYMLINKS)

    @contextmanager
    def cached_directories(self) -> Iterator[None]:
        """Resolve each directory only once inside the block.

        No other process may move or remove directories meanwhile, or mount over them. Only directories
        without a symlink in their path are cached, so a new symlink cannot change their resolution.
        """
        outer, self._cache = self._cache, {}
        try:
            yield
        finally:
            self._cache = outer

    @contextmanager
    def _top(self) -> Iterator[int]:
        """Open the root directory, each time anew: a filesystem may have been mounted over it."""
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
        """Open `path`, symlinks resolved in the root; errors name the path in the root."""
        with self._top() as top, path_in_errors(path):
            descriptor = open_in_root(top, path, flags | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _parent(self, path: str) -> AbstractContextManager[tuple[int, str]]:
        """Open the directory that contains `path`; yield its descriptor and the last component."""
        whole, parent, name = _parts(path)
        cached = self._cached(parent)
        return (
            self._open_parent(whole, parent, name) if cached is None else _CachedParent(cached, whole, name)
        )

    @contextmanager
    def _open_parent(self, whole: str, parent: str, name: str) -> Iterator[tuple[int, str]]:
        with self._opened(parent, DIRECTORY) as descriptor, path_in_errors(whole):
            yield descriptor, name or "."

    def _cached(self, path: str) -> _OpenDirectory | None:
        """Return the cached directory at `path`, opened if needed; None if it may not be cached."""
        if self._cache is None or self._pinned is not None:
            return None
        found = self._cache.get(path)
        if found is None:
            with self._top() as top, self._opened(path, DIRECTORY) as descriptor:
                if _path_below(top, descriptor) != path:
                    return None
                found = _OpenDirectory(os.dup(descriptor))
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[path] = found
        return found

    def _follow(self, path: str, links: int) -> str:
        """Resolve `path`; `links` limits symlinks to missing paths, which the kernel does not count."""
        try:
            if self._cached(path) is not None:
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


class _OpenDirectory:
    """An open directory, closed when its last user in any thread releases it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class _CachedParent:
    """The parent of a path in a cached directory. A class is faster than a generator on this hot path."""

    def __init__(self, directory: _OpenDirectory, path: str, name: str) -> None:
        self._directory = directory
        self._path = path
        self._name = name or "."

    def __enter__(self) -> tuple[int, str]:
        return self._directory.descriptor, self._name

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            _set_path(error, self._path)


@contextmanager
def path_in_errors(path: str) -> Iterator[None]:
    """Put the whole path in the root into each `OSError` of the block."""
    try:
        yield
    except OSError as error:
        _set_path(error, path)
        raise


def _set_path(error: OSError, path: str) -> None:
    error.filename = path
    del error.filename2


@lru_cache(maxsize=64)
def clean(path: str) -> str:
    """Return the path absolute and lexically clean; docs/reference/config-language.md, "Path rules"."""
    if "\0" in path:
        raise OSError(errno.EINVAL, "path contains a NUL byte", path.replace("\0", "�"))
    return posixpath.normpath("/" + path.lstrip("/"))


@lru_cache(maxsize=64)
def _parts(path: str) -> tuple[str, str, str]:
    """Split a path into clean path, directory and last component. Cached: callers repeat the same path."""
    whole = clean(path)
    parent, _, name = whole.rpartition("/")
    return whole, parent or "/", name


def _path_below(top: int, descriptor: int) -> str:
    """Return the path of an open directory in the root."""
    above = os.readlink(f"/proc/self/fd/{top}").rstrip("/")
    return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(above) or "/"
