# SPDX-License-Identifier: Apache-2.0
"""The target root as it will be: the existing tree, and predictions kept in memory."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ignition.host.files.root_view import RootView

__all__ = ["PredictedTree", "Unseen"]


class Unseen(Exception):
    """The object cannot be observed yet; the text is the reason."""


class PredictedTree(RootView):
    """A tree with predictions: whole files, symlinks, removals and mount points.

    It has no method that changes the tree on disk.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._covers: dict[str, str] = {}
        self._memory: dict[str, bytes | str | None] = {}

    # Predictions.

    def predict_mount(self, path: str, unseen: str = "") -> None:
        """Predict a mount of an empty filesystem at `path`, or of one that is `unseen` for this reason."""
        try:
            self._covers[self.follow(path)] = unseen
        except Unseen:
            return  # The path is below another unseen mount, so nothing below it can be observed anyway.

    def predict_file(self, path: str, data: bytes) -> None:
        self._memory[self._where(path)] = data

    def predict_symlink(self, path: str, target: str) -> None:
        self._memory[self._where(path)] = target

    def predict_removal(self, path: str) -> None:
        self._memory[self._where(path)] = None

    # Reading.

    def lstat(self, path: str) -> os.stat_result:
        place = self._where(path)
        if place in self._memory:
            return _status(self._memory[place], path)
        if any(f"{cover}/".startswith(f"{place.rstrip('/')}/") for cover in self._covers):
            # A mount point or a directory above one: the mount stage creates it if it is missing.
            return os.stat(self.path)
        return super().lstat(path)

    def is_file(self, path: str) -> bool:
        place = self._where(path)
        return isinstance(self._memory[place], bytes) if place in self._memory else super().is_file(path)

    def read(self, path: str) -> bytes:
        kept = self._memory.get(self._where(path))
        return kept if isinstance(kept, bytes) else super().read(path)

    def readlink(self, path: str) -> str:
        kept = self._memory.get(self._where(path))
        return kept if isinstance(kept, str) else super().readlink(path)

    def list(self, path: str) -> list[str]:
        """Return the sorted names, without removed ones."""
        place = self._where(path)
        kept = {posixpath.basename(each): what for each, what in self._below(place)}
        try:
            names = [] if self._covers.get(place) == "" else super().list(path)
        except FileNotFoundError:
            if not kept:
                raise
            names = []
        return sorted(
            {*(name for name in names if name not in kept), *(n for n in kept if kept[n] is not None)}
        )

    def is_writable(self, path: str) -> bool:
        """Whether names can be created in a directory; a predicted mount is writable."""
        return self._where(path) in self._covers or super().is_writable(path)

    def mount_id(self, path: str) -> int:
        """Return the id of the mount; predicted mounts have negative ids."""
        place = self._where(path)
        return -1 - list(self._covers).index(place) if place in self._covers else super().mount_id(path)

    # Path resolution.

    @contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        self._look(path, strictly_below=True)
        try:
            opened = super()._opened(path, flags)
            with opened as descriptor:
                self._look(self._path_of(descriptor), strictly_below=True)
                yield descriptor
        except FileNotFoundError:
            self._look_above(path)
            raise

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        above = posixpath.dirname(posixpath.normpath("/" + path.lstrip("/")))
        if above != "/":
            self._look(above, strictly_below=False)
        with super()._parent(path) as (descriptor, name):
            if name != ".":
                self._look(self._path_of(descriptor), strictly_below=False)
            yield descriptor, name

    def _look(self, place: str, *, strictly_below: bool) -> None:
        """Check that the existing tree is valid at a path.

        Raises:
            FileNotFoundError: the path is in a filesystem that will be empty.
            Unseen: the path is in a filesystem that is not mounted yet.
        """
        for cover, unseen in self._covers.items():
            if place.startswith(f"{cover.rstrip('/')}/") or (place == cover and not strictly_below):
                if unseen:
                    raise Unseen(unseen)
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place)

    def _look_above(self, path: str) -> None:
        """Raise `Unseen` if a missing path may exist in a filesystem that is not mounted yet."""
        while path not in {"/", ""}:
            path = posixpath.dirname(path)
            try:
                with super()._opened(path, os.O_PATH | os.O_CLOEXEC) as descriptor:
                    place = self._path_of(descriptor)
            except FileNotFoundError:
                continue
            for cover, unseen in self._covers.items():
                if unseen and f"{place}/".startswith(f"{cover.rstrip('/')}/"):
                    raise Unseen(unseen)
            return

    def _path_of(self, descriptor: int) -> str:
        with self._top() as top:
            above = os.readlink(f"/proc/self/fd/{top}").rstrip("/")
        return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(above) or "/"

    def _where(self, path: str) -> str:
        """Return a path with the symlinks above it resolved, as far as they exist."""
        clean = posixpath.normpath("/" + path.lstrip("/"))
        parent, name = posixpath.split(clean)
        try:
            with super()._opened(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor:
                return posixpath.join(self._path_of(descriptor), name)
        except OSError:
            return clean

    def _below(self, place: str) -> Iterator[tuple[str, bytes | str | None]]:
        return ((path, what) for path, what in self._memory.items() if posixpath.dirname(path) == place)


def _status(kept: bytes | str | None, path: str) -> os.stat_result:
    if kept is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    mode = stat.S_IFLNK | 0o777 if isinstance(kept, str) else stat.S_IFREG | 0o644
    return os.stat_result((mode, 0, 0, 1, 0, 0, len(kept), 0, 0, 0))
