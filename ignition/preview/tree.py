"""The target's tree as it will be, for looking at only."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from ignition.host.root import SAME, Owner, Root

__all__ = ["PreviewRoot", "Unseen", "refuse"]


class Unseen(Exception):
    """What would have to be looked at cannot be seen yet. Says why."""


def refuse(what: str) -> NoReturn:
    """End what would have changed the machine: that is an internal error."""
    raise RuntimeError(f"a preview would have changed the machine: {what}")


class PreviewRoot(Root):
    """The target's tree as it will be: changes are kept in memory, and file systems lie over it.

    It remembers whole files, links and removals, which is what later steps look for; it refuses every
    other change.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._covers: dict[str, str] = {}
        self._memory: dict[str, bytes | str | None] = {}

    def will_mount(self, path: str, unseen: str = "") -> None:
        """Take `path` for the top of an empty file system, or of one that is `unseen` for this reason."""
        try:
            self._covers[self.follow(path)] = unseen
        except Unseen:
            return  # the way to it cannot be seen, so neither can what is below it

    # What is there.

    def lstat(self, path: str) -> os.stat_result:
        """As it will be."""
        place = self._where(path)
        if place in self._memory:
            return _status(self._memory[place], path)
        if any(f"{cover}/".startswith(f"{place.rstrip('/')}/") for cover in self._covers):
            # A mount point, or a directory on the way to one: it is made if it is missing.
            return os.stat(self.path)
        return super().lstat(path)

    def is_file(self, path: str) -> bool:
        """As it will be."""
        place = self._where(path)
        return isinstance(self._memory[place], bytes) if place in self._memory else super().is_file(path)

    def read(self, path: str) -> bytes:
        """As it will be."""
        kept = self._memory.get(self._where(path))
        return kept if isinstance(kept, bytes) else super().read(path)

    def readlink(self, path: str) -> str:
        """As it will be."""
        kept = self._memory.get(self._where(path))
        return kept if isinstance(kept, str) else super().readlink(path)

    def list(self, path: str) -> list[str]:
        """As it will be; what was removed in a directory is left out."""
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

    def writable(self, path: str) -> bool:
        """A file system that will be mounted can be written to."""
        return self._where(path) in self._covers or super().writable(path)

    def mount_id(self, path: str) -> int:
        """A file system that will be mounted has a number of its own, below zero."""
        place = self._where(path)
        return -1 - list(self._covers).index(place) if place in self._covers else super().mount_id(path)

    # Changes that are remembered.

    def write(self, path: str, data: bytes, *, mode: int = 0o644, owner: Owner = (0, 0)) -> None:
        """Remember the file."""
        self._memory[self._where(path)] = data

    def symlink(self, target: str, path: str, *, owner: Owner = (0, 0)) -> None:
        """Remember the link."""
        self._memory[self._where(path)] = target

    def remove(self, path: str) -> None:
        """Remember that it is gone."""
        self._memory[self._where(path)] = None

    # Changes that never happen in a preview.

    def make_directories(self, path: str, mode: int = 0o755) -> NoReturn:
        """Refuse."""
        refuse(path)

    def replace(
        self,
        path: str,
        *,
        mode: int = 0o644,
        owner: Owner = (0, 0),
    ) -> NoReturn:
        """Refuse."""
        refuse(path)

    def create(self, path: str, mode: int = 0o600, *, digest: str = "") -> NoReturn:
        """Refuse."""
        refuse(path)

    def open(self, path: str, *, append: bool = False) -> BinaryIO:
        """Only for reading."""
        return refuse(path) if append else super().open(path)

    def rename(self, old: str, new: str, *, owner: Owner = SAME, mode: int | None = None) -> NoReturn:
        """Refuse."""
        refuse(new)

    def link(self, existing: str, path: str) -> NoReturn:
        """Refuse."""
        refuse(path)

    def chown(self, path: str, owner: Owner) -> NoReturn:
        """Refuse."""
        refuse(path)

    def chmod(self, path: str, mode: int) -> NoReturn:
        """Refuse."""
        refuse(path)

    def permit(self, path: str, owner: Owner, mode: int | None = None) -> NoReturn:
        """Refuse."""
        refuse(path)

    def sync(self, paths: Iterable[str]) -> NoReturn:
        """Refuse."""
        refuse(", ".join(paths))

    def acting_as(self, user: int, group: int, *, umask: int = 0o077) -> NoReturn:
        """Refuse."""
        refuse("acting as a user")

    # How paths are found.

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
        """Whether the tree shows what will be at this place.

        Raises:
            FileNotFoundError: it is in a file system that will be empty.
            Unseen: it is in one that cannot be looked into.
        """
        for cover, unseen in self._covers.items():
            if place.startswith(f"{cover.rstrip('/')}/") or (place == cover and not strictly_below):
                if unseen:
                    raise Unseen(unseen)
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place)

    def _look_above(self, path: str) -> None:
        """What is not there may still be so because nobody can see it."""
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
        """The place of a path with the links above it resolved, as far as they lead."""
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
