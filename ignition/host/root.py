# SPDX-License-Identifier: Apache-2.0
"""The target root for changes: the only way in which stages change the tree that is provisioned.

Paths are resolved by `ignition.host.files.root_view`. Changes are made relative to the descriptor of the
resolved directory, so no rename can happen between check and use. Writing below a symlink to a missing
directory creates that directory, inside the root.

Files are replaced atomically: written under a temporary name in the same directory and renamed. The temporary
name is the same for all files of a directory, so the next write removes the rest of an interrupted one.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ignition.host.files import directory_entry
from ignition.host.files.directory_entry import SAME, Owner
from ignition.host.files.openat2 import syncfs
from ignition.host.files.path_change import (
    ChangeListener,
    Digest,
    DigestingFile,
    PathChange,
    PathState,
    path_state,
    read_path_state,
)
from ignition.host.files.root_view import DIRECTORY, RootView, clean, path_in_errors

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SAME", "Owner", "Root"]

TEMPORARY: Final = ".ignition-new"
"""Name of a file or symlink in its directory before it is renamed."""

Parent = Callable[[str], AbstractContextManager[tuple[int, str]]]
"""Opens the directory that contains a path."""

NOT_REPORTED: Final = nullcontext()
"""Wraps a change that is not reported."""


class Root(RootView):
    """The target root for reading and changing.

    Attributes:
        touched: created or replaced paths in order, each once; of new directories only the topmost.
            These need new security labels.
        listener: receives each change, except changes of files from `create` before they are renamed.
    """

    def __init__(self, path: str, listener: ChangeListener | None = None) -> None:
        super().__init__(path)
        self.touched: dict[str, None] = {}
        self.listener = listener
        self._unplaced: dict[str, Digest] = {}

    def make_directories(self, path: str, mode: int = 0o755) -> tuple[str, ...]:
        """Create the directory `path` and the missing ones above it.

        Returns:
            The resolved paths of the created directories, topmost first.
        """
        made = self._make(self.follow(path), mode)
        if made:
            self.touch(made[0])
        if self.listener:
            for place in made:
                self.listener(PathChange(place, None, path_state(self.lstat(place))))
        return made

    @contextmanager
    def replace(self, path: str, *, mode: int = 0o644, owner: Owner = (0, 0)) -> Iterator[BinaryIO]:
        """Open a file for writing that replaces `path` atomically when the block ends without an error.

        An existing file or symlink is replaced. Missing directories above are created. The umask is not
        applied.
        """
        with self._place(path) as (directory, name):
            descriptor = directory_entry.create(directory, TEMPORARY)
            digest = Digest() if self.listener else None
            try:
                with _writing(descriptor, digest) as file:
                    yield file
                    file.flush()
                    after = directory_entry.give(descriptor, mode, owner)
                with self._reported(path, directory, name, _digested(after, digest)):
                    os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                directory_entry.unlink(directory, TEMPORARY)
                raise

    def write(self, path: str, data: bytes, *, mode: int = 0o644, owner: Owner = (0, 0)) -> None:
        """Write a whole file; see `replace`."""
        sum_ = self._digest_of(data)
        with self._place(path) as (directory, name):
            try:
                after = directory_entry.write(directory, TEMPORARY, data, mode, owner)
                with self._reported(path, directory, name, _digested(after, sum_)):
                    os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                directory_entry.unlink(directory, TEMPORARY)
                raise

    def create(self, path: str, mode: int = 0o600, *, digest: str = "") -> BinaryIO:
        """Create a file and open it for reading and writing; an existing file is removed first.

        The umask is applied to the nine permission bits of `mode`; other bits are ignored. `digest` is a
        verified digest of the contents, which is then not computed again.
        """
        sum_ = Digest(digest) if self.listener else None
        with self._parent(path) as (directory, name):
            file = _writing(directory_entry.create(directory, name, mode & 0o777), sum_)
        if sum_:
            self._unplaced[clean(path)] = sum_
        return file

    def create_whole(self, path: str, data: bytes, mode: int = 0o600, *, digest: str = "") -> None:
        """Create a file with these contents; see `create`."""
        with self._parent(path) as (directory, name):
            directory_entry.write(directory, name, data, mode & 0o777)
        if sum_ := self._digest_of(data, digest):
            self._unplaced[clean(path)] = sum_

    def open(self, path: str, *, append: bool = False) -> BinaryIO:
        """Open an existing regular file for reading, or also for appending; a symlink is an error."""
        flags = (os.O_RDWR | os.O_APPEND) if append else os.O_RDONLY
        with self._parent(path) as (directory, name):
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise OSError(errno.EINVAL, "not a regular file")
            if append and self.listener:
                self.touch(path)
                return self._appending(clean(path), directory, name, descriptor, self.listener)
        if append:
            self.touch(path)
        return os.fdopen(descriptor, "r+b" if append else "rb")

    def _appending(
        self, path: str, directory: int, name: str, descriptor: int, listener: ChangeListener
    ) -> BinaryIO:
        """Return an open file that updates its digest and reports the change when it is closed."""
        unplaced = self._unplaced.get(path)
        if unplaced is not None:
            unplaced.forget_known()
            return DigestingFile(descriptor, unplaced)
        digest = Digest()
        before = read_path_state(directory, name, read=True, into=digest)

        def closing(open_: int) -> None:
            after = path_state(os.fstat(open_), digest=str(digest), unread=before.unread if before else "")
            if after != before:
                listener(PathChange(path, before, after))

        return DigestingFile(descriptor, digest, closing)

    def rename(self, old: str, new: str, *, owner: Owner = SAME, mode: int | None = None) -> None:
        """Rename `old` to `new` on the same mount; replaces a file or symlink, creates directories above.

        Owner and mode are set first, see `permit`.
        """
        digest = self._unplaced.pop(clean(old), None)
        with self._parent(old) as (source, source_name), self._place(new) as (directory, name):
            after = directory_entry.permit(source, source_name, owner, mode)
            with self._reported(new, directory, name, _digested(after, digest)):
                os.rename(source_name, name, src_dir_fd=source, dst_dir_fd=directory)

    def symlink(self, target: str, path: str, *, owner: Owner = (0, 0)) -> None:
        """Create a symlink at `path`; replaces a file or symlink."""
        with self._place(path) as (directory, name):
            directory_entry.unlink(directory, TEMPORARY)
            os.symlink(target, TEMPORARY, dir_fd=directory)
            os.chown(TEMPORARY, *owner, dir_fd=directory, follow_symlinks=False)
            with self._reported(path, directory, name):
                os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)

    def link(self, existing: str, path: str) -> None:
        """Create a hard link to the file `existing` at `path`; replaces a file or symlink."""
        with self._parent(existing) as (source, source_name), self._place(path) as (directory, name):
            directory_entry.unlink(directory, TEMPORARY)
            os.link(source_name, TEMPORARY, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
            with self._reported(path, directory, name):
                os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            # rename(2) does nothing when both names are hard links to one file.
            directory_entry.unlink(directory, TEMPORARY)

    def remove(self, path: str) -> None:
        """Remove `path` if it exists, directories recursively.

        Symlinks are not followed. A mount point at or below `path` is an error.
        """
        if self._cache:
            self._cache.clear()
        try:
            with self._parent(path) as (directory, name), self._reported(path, directory, name):
                directory_entry.remove(directory, name, directory_entry.mount_id(directory))
        except FileNotFoundError:
            return

    def chown(self, path: str, owner: Owner) -> None:
        """Set user and group; a symlink is not followed."""
        with self._parent(path) as (directory, name), self._reported(path, directory, name, read=False):
            os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)

    def chmod(self, path: str, mode: int) -> None:
        """Set the mode of a file or directory, including special bits; a symlink is an error."""
        with self._parent(path) as (directory, name), self._reported(path, directory, name, read=False):
            directory_entry.change_mode(directory, name, mode)

    def permit(self, path: str, owner: Owner, mode: int | None = None) -> None:
        """Set owner, then mode, where they differ; None keeps the mode, including setuid and setgid.

        The owner comes first, because chown clears the setuid and setgid bits.
        """
        with self._parent(path) as (directory, name), self._reported(path, directory, name, read=False):
            directory_entry.permit(directory, name, owner, mode)

    def sync(self, paths: Iterable[str]) -> None:
        """Flush the filesystems of the directories `paths`, each once."""
        done: set[int] = set()
        for path in paths:
            with self._opened(clean(path), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                device = os.fstat(descriptor).st_dev
                if device not in done:
                    syncfs(descriptor)
                    done.add(device)

    def touch(self, path: str) -> None:
        """Note in `touched` that `path` was created or replaced, also by another program."""
        self.touched[clean(path)] = None

    @contextmanager
    def acting_as(self, user: int, group: int, *, umask: int = 0o077) -> Iterator[Self]:
        """Switch to the effective user and group inside the block.

        Effective ids belong to the whole process, so no other thread may work meanwhile.
        """
        if self.listener:
            Digest()  # Imports hashlib now: the user may not be able to read it.
        groups, ids, mask = os.getgroups(), (os.geteuid(), os.getegid()), os.umask(umask)
        with self._top() as top:
            self._pinned = top
            try:
                os.setgroups([])
                os.setegid(group)
                os.seteuid(user)
                yield self
            finally:
                os.seteuid(ids[0])
                os.setegid(ids[1])
                os.setgroups(groups)
                os.umask(mask)
                self._pinned = None

    def _digest_of(self, data: bytes, known: str = "") -> Digest | None:
        """Return the digest of contents for the listener; None without a listener."""
        if not self.listener:
            return None
        digest = Digest(known)
        digest.update(data)
        return digest

    def _reported(
        self, path: str, directory: int, name: str, after: PathState | None = None, *, read: bool = True
    ) -> AbstractContextManager[None]:
        """Report the change of `name` inside the block to the listener.

        `after` is the new state, if it is known. Contents do not change without `read`.
        """
        if self.listener is None or path in self._unplaced:
            return NOT_REPORTED
        return _Reported(self.listener, path, directory, name, after, read=read)

    def _place(self, path: str) -> AbstractContextManager[tuple[int, str]]:
        """Open the parent of a new object: creates directories above, and notes `path` in `touched`."""
        return _Place(self, self._parent, path)

    def _make(self, path: str, mode: int) -> tuple[str, ...]:
        """Create a directory whose path has no symlinks; a symlink that appeared meanwhile is an error."""
        made: list[str] = []
        with self._top() as top:
            current = os.dup(top)
            try:
                for place in _prefixes(path):
                    below = _enter(current, place, mode, made)
                    os.close(current)
                    current = below
            finally:
                os.close(current)
        return tuple(made)


class _Place:
    """Implements `Root._place`. A class is faster than a generator on this hot path."""

    def __init__(self, root: Root, parent: Parent, path: str) -> None:
        self._root = root
        self._parent = parent
        self._path = path
        self._made = False

    def __enter__(self) -> tuple[int, str]:
        try:
            return self._enter()
        except FileNotFoundError:
            self._path = self._root.resolve(self._path)
            self._made = bool(self._root.make_directories(posixpath.dirname(self._path)))
            return self._enter()

    def _enter(self) -> tuple[int, str]:
        self._entered = self._parent(self._path)
        return self._entered.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._entered.__exit__(*error)
        if error[0] is None and not self._made:
            self._root.touch(self._path)


class _Reported:
    """Implements `Root._reported`."""

    def __init__(
        self,
        listener: ChangeListener,
        path: str,
        directory: int,
        name: str,
        after: PathState | None,
        *,
        read: bool,
    ) -> None:
        self._listener = listener
        self._path = path
        self._directory = directory
        self._name = name
        self._after = after
        self._read = read

    def __enter__(self) -> None:
        self._before = self._look()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            after = self._after or self._look()
            if after != self._before:
                self._listener(PathChange(clean(self._path), self._before, after))

    def _look(self) -> PathState | None:
        return read_path_state(self._directory, self._name, read=self._read)


def _digested(after: PathState, digest: Digest | None) -> PathState | None:
    """Return the state with its digest; None if the digest is unknown, so that the path has to be read."""
    known = str(digest or "")
    return after._replace(digest=known) if known else None


def _prefixes(path: str) -> Iterator[str]:
    """Yield `/a`, `/a/b`, `/a/b/c` for `/a/b/c`."""
    place = ""
    for part in path.strip("/").split("/"):
        if part:
            place = f"{place}/{part}"
            yield place


def _enter(directory: int, place: str, mode: int, made: list[str]) -> int:
    """Open the directory at `place`, a child of `directory`; create it if it is missing."""
    name = posixpath.basename(place)
    with path_in_errors(place):
        try:
            return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        except FileNotFoundError:
            os.mkdir(name, mode, dir_fd=directory)
            made.append(place)
            return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)


def _writing(descriptor: int, digest: Digest | None) -> BinaryIO:
    return DigestingFile(descriptor, digest) if digest else os.fdopen(descriptor, "w+b")
