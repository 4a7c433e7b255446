"""Files under the target root: the one gate through which a stage changes the machine's tree.

Every path is resolved by the kernel itself with `openat2` and `RESOLVE_IN_ROOT`: links, absolute
ones too, and `..` stay inside the root however they are chained, as they would after a `chroot`.
Changes are then made relative to the descriptor of the resolved directory, so nothing can be put in
between check and use. The reference resolves one level of links in user space and leaves the root
through chains of them (engine.md 8.1 and 14, point 15).

The last component of a path is never followed, except for reading. A link to a directory that is not
there yet is written through: the directory it names is made, inside the root.

A file appears under its name whole or not at all: it is written beside its place and renamed. What is
left of a write that was interrupted has one fixed name per directory, so the next write takes it away.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, Final

from ignition.host import entries
from ignition.host.changes import Change, Digest, Digesting, Witness, look, standing
from ignition.host.entries import SAME, Owner
from ignition.host.openat2 import open_in_root, syncfs

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SAME", "Owner", "Root"]

TEMPORARY: Final = ".ignition-new"
"""What a file or link is called, in its directory, before it is renamed."""

MOST_LINKS: Final = 40
"""As many links as the kernel follows in one path."""

MOST_KEPT: Final = 100
"""Directories that are kept open at once."""

DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Root:
    """The tree of the machine that is being set up.

    All paths are paths in that tree, with or without a leading slash. Methods raise `OSError` with
    the path in the root as its file name.

    Attributes:
        path: where the tree is mounted in the running system, absolute.
        touched: what was made or replaced here, topmost new directory or file; in order, each once.
            The security labels of these have to be set anew.
        witness: is told of each change, but for those to files that `create` made and that wait for their
            place under another name.
    """

    def __init__(self, path: str, witness: Witness | None = None) -> None:
        self.path = os.path.abspath(path or "/")
        self.touched: dict[str, None] = {}
        self.witness = witness
        self._waiting: dict[str, Digest] = {}
        self._pinned: int | None = None
        self._kept: dict[str, _Kept] | None = None

    def __repr__(self) -> str:
        return f"Root({self.path!r})"

    def outside(self, path: str) -> str:
        """The path by which the running system knows `path`; nothing is resolved."""
        return (self.path.rstrip("/") + _clean(path)).rstrip("/") or "/"

    # What is there.

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
            with self._opened(_clean(path), os.O_PATH) as descriptor:
                return stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return False
            raise

    def read(self, path: str) -> bytes:
        """All bytes of a file; links are followed inside the root."""
        with (
            self._opened(_clean(path), os.O_RDONLY) as descriptor,
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
        with self._opened(_clean(path), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            return sorted(os.listdir(descriptor))

    def writable(self, path: str) -> bool:
        """Whether names can be made in the directory `path`: not on a read-only or immutable one."""
        with self._opened(_clean(path), DIRECTORY) as descriptor:
            return os.access(".", os.W_OK, dir_fd=descriptor)

    def mount_id(self, path: str) -> int:
        """Which mount the directory `path` belongs to; renames work only within one."""
        with self._opened(_clean(path), DIRECTORY) as descriptor:
            return entries.mount_id(descriptor)

    def resolve(self, path: str) -> str:
        """`path` with all links resolved but that of its last component.

        Components that do not exist are taken as they stand.
        """
        parent, name = posixpath.split(_clean(path))
        return posixpath.join(self._follow(parent, MOST_LINKS), name)

    def follow(self, path: str) -> str:
        """The directory that `path` leads to, all links resolved, whether it exists or not."""
        return self._follow(_clean(path), MOST_LINKS)

    # Changes.

    def make_directories(self, path: str, mode: int = 0o755) -> tuple[str, ...]:
        """Make the directory `path` and the missing ones above it.

        Returns:
            The directories that were made, as resolved paths, shallow ones first.
        """
        made = self._make(self.follow(path), mode)
        if made:
            self.touch(made[0])
        if self.witness:
            for place in made:
                self.witness(Change(place, None, standing(self.lstat(place))))
        return made

    @contextmanager
    def replace(self, path: str, *, mode: int = 0o644, owner: Owner = (0, 0)) -> Iterator[BinaryIO]:
        """A file to write to; it takes its place, complete, when the block ends without an error.

        It replaces a file or link that is there. Missing directories above it are made. The mode
        does not depend on the umask.
        """
        with self._place(path) as (directory, name):
            descriptor = entries.create(directory, TEMPORARY)
            digest = Digest() if self.witness else None
            try:
                with _writing(descriptor, digest) as file:
                    yield file
                    file.flush()
                    entries.give(descriptor, mode, owner)
                with self._witnessed(path, directory, name, digest):
                    os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                os.unlink(TEMPORARY, dir_fd=directory)
                raise

    def write(self, path: str, data: bytes, *, mode: int = 0o644, owner: Owner = (0, 0)) -> None:
        """Write a whole file; see `replace`."""
        with self.replace(path, mode=mode, owner=owner) as file:
            file.write(data)

    def create(self, path: str, mode: int = 0o600, *, digest: str = "") -> BinaryIO:
        """Open a new file for writing and reading; what bears its name is removed before.

        Its mode is at most the one given: the umask, and all but the nine bits of permissions, go off.
        `digest` is what its contents will have been verified to have; that need not be computed again.
        """
        sum_ = Digest(digest) if self.witness else None
        with self._parent(path) as (directory, name):
            file = _writing(entries.create(directory, name, mode & 0o777), sum_)
        if sum_:
            self._waiting[_clean(path)] = sum_
        return file

    def open(self, path: str, *, append: bool = False) -> BinaryIO:
        """Open a regular file that exists, for reading or for reading and appending; no link is followed."""
        flags = (os.O_RDWR | os.O_APPEND) if append else os.O_RDONLY
        with self._parent(path) as (directory, name):
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise OSError(errno.EINVAL, "not a regular file")
            if append and self.witness:
                self.touch(path)
                return self._appending(_clean(path), directory, name, descriptor, self.witness)
        if append:
            self.touch(path)
        return os.fdopen(descriptor, "r+b" if append else "rb")

    def _appending(self, path: str, directory: int, name: str, descriptor: int, witness: Witness) -> BinaryIO:
        """An open file, its digest kept up; the witness hears of it when it is closed."""
        waiting = self._waiting.get(path)
        if waiting is not None:
            waiting.more_follows()
            return Digesting(descriptor, waiting)
        digest = Digest()
        before = look(directory, name, read=True, into=digest)

        def closing(open_: int) -> None:
            after = standing(os.fstat(open_), digest=str(digest), unread=before.unread if before else "")
            if after != before:
                witness(Change(path, before, after))

        return Digesting(descriptor, digest, closing)

    def rename(self, old: str, new: str, *, owner: Owner = SAME, mode: int | None = None) -> None:
        """Move `old` to `new` on the same mount, replacing a file or link; makes directories above.

        Owner and mode are set before, as `permit` does.
        """
        digest = self._waiting.pop(_clean(old), None)
        with self._parent(old) as (source, source_name), self._place(new) as (directory, name):
            if owner != SAME or mode is not None:
                entries.permit(source, source_name, owner, mode)
            with self._witnessed(new, directory, name, digest):
                os.rename(source_name, name, src_dir_fd=source, dst_dir_fd=directory)

    def symlink(self, target: str, path: str, *, owner: Owner = (0, 0)) -> None:
        """Put a link with exactly this text at `path`, replacing a file or link that is there."""
        with self._place(path) as (directory, name):
            entries.unlink(directory, TEMPORARY)
            os.symlink(target, TEMPORARY, dir_fd=directory)
            os.chown(TEMPORARY, *owner, dir_fd=directory, follow_symlinks=False)
            with self._witnessed(path, directory, name):
                os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)

    def link(self, existing: str, path: str) -> None:
        """Make `path` a further name of the file `existing`, replacing a file or link that is there."""
        with self._parent(existing) as (source, source_name), self._place(path) as (directory, name):
            entries.unlink(directory, TEMPORARY)
            os.link(source_name, TEMPORARY, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
            with self._witnessed(path, directory, name):
                os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            # Renaming a name of a file onto another name of it does nothing, by definition.
            entries.unlink(directory, TEMPORARY)

    def remove(self, path: str) -> None:
        """Remove what stands at `path`, a directory with all that is in it; nothing there is fine.

        No link is followed and no other mount is entered: a mount point in the tree is an error.
        """
        if self._kept:
            self._kept.clear()
        try:
            with self._parent(path) as (directory, name), self._witnessed(path, directory, name):
                entries.remove(directory, name, entries.mount_id(directory))
        except FileNotFoundError:
            return

    def chown(self, path: str, owner: Owner) -> None:
        """Give `path`, or the link that it is, to a user and a group."""
        with self._parent(path) as (directory, name), self._witnessed(path, directory, name, read=False):
            os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)

    def chmod(self, path: str, mode: int) -> None:
        """Set the mode of a file or directory, special bits included; a link is an error."""
        with self._parent(path) as (directory, name), self._witnessed(path, directory, name, read=False):
            entries.change_mode(directory, name, mode)

    def permit(self, path: str, owner: Owner, mode: int | None = None) -> None:
        """Set owner, then mode, where they differ; `None` leaves the mode, special bits included.

        In this order, because a change of owner takes the setuid and setgid bits away.
        """
        with self._parent(path) as (directory, name), self._witnessed(path, directory, name, read=False):
            entries.permit(directory, name, owner, mode)

    def sync(self, paths: Iterable[str]) -> None:
        """Write the file systems on which the directories `paths` lie to their disks, each once."""
        done: set[int] = set()
        for path in paths:
            with self._opened(_clean(path), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                device = os.fstat(descriptor).st_dev
                if device not in done:
                    syncfs(descriptor)
                    done.add(device)

    def touch(self, path: str) -> None:
        """Remember that `path` was made or replaced, be it by somebody else."""
        self.touched[_clean(path)] = None

    @contextmanager
    def acting_as(self, user: int, group: int, *, umask: int = 0o077) -> Iterator[Self]:
        """Do what happens inside with the rights of a user, and as its property.

        Effective ids are those of the whole process, so nothing else may run meanwhile.
        """
        if self.witness:
            Digest()  # What it imports may not be there to be read by everybody.
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
    def _witnessed(
        self, path: str, directory: int, name: str, digest: Digest | None = None, *, read: bool = True
    ) -> Iterator[None]:
        """Tell the witness what the change inside does to `name`; contents stay the same without `read`."""
        if self.witness is None or path in self._waiting:
            yield
            return
        before = look(directory, name, read=read)
        yield
        after = look(directory, name, read=read, known=str(digest or ""))
        if after != before:
            self.witness(Change(_clean(path), before, after))

    # How paths are found.

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
        with self._top() as top, _named(path):
            descriptor = open_in_root(top, path, flags | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _parent(self, path: str) -> AbstractContextManager[tuple[int, str]]:
        """The directory that holds `path`, opened, and the last component."""
        clean = _clean(path)
        parent, name = _split(clean)
        kept = self._keep(parent)
        return self._open_parent(clean, parent, name) if kept is None else _InKept(kept, clean, name)

    @contextmanager
    def _open_parent(self, clean: str, parent: str, name: str) -> Iterator[tuple[int, str]]:
        with self._opened(parent, DIRECTORY) as descriptor, _named(clean):
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

    @contextmanager
    def _place(self, path: str) -> Iterator[tuple[int, str]]:
        """As `_parent`, for something new: directories above it are made, and what is done is noted."""
        made: tuple[str, ...] = ()
        with ExitStack() as opened:
            try:
                found = opened.enter_context(self._parent(path))
            except FileNotFoundError:
                path = self.resolve(path)
                made = self.make_directories(posixpath.dirname(path))
                found = opened.enter_context(self._parent(path))
            yield found
        if not made:
            self.touch(path)

    def _follow(self, path: str, links: int) -> str:
        """`follow`, with a limit for links that lead to what does not exist; the kernel has its own."""
        try:
            if self._keep(path) is not None:
                return path
            with self._top() as top, self._opened(path, DIRECTORY) as descriptor:
                return _path_below(top, descriptor)
        except FileNotFoundError:
            pass
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

    def _make(self, path: str, mode: int) -> tuple[str, ...]:
        """Make a directory whose path holds no links; one that was put there meanwhile is an error."""
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
def _named(path: str) -> Iterator[None]:
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
def _clean(path: str) -> str:
    """The path, absolute and lexically clean, as the spec's rules for paths have it."""
    if "\0" in path:
        raise OSError(errno.EINVAL, "a path cannot hold a zero byte", path.replace("\0", "�"))
    return posixpath.normpath("/" + path.lstrip("/"))


@lru_cache(maxsize=64)
def _split(path: str) -> tuple[str, str]:
    """A clean path's directory and its last component. A file is come back to several times in a row."""
    return posixpath.split(path)


def _prefixes(path: str) -> Iterator[str]:
    """`/a`, `/a/b`, `/a/b/c` for `/a/b/c`."""
    place = ""
    for part in path.strip("/").split("/"):
        if part:
            place = f"{place}/{part}"
            yield place


def _enter(directory: int, place: str, mode: int, made: list[str]) -> int:
    """Open the directory at `place`, a child of `directory`; it is made if missing."""
    name = posixpath.basename(place)
    with _named(place):
        try:
            return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        except FileNotFoundError:
            os.mkdir(name, mode, dir_fd=directory)
            made.append(place)
            return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)


def _writing(descriptor: int, digest: Digest | None) -> BinaryIO:
    """A new file, open for writing and reading."""
    return Digesting(descriptor, digest) if digest else os.fdopen(descriptor, "w+b")


def _path_below(top: int, descriptor: int) -> str:
    """Where an open directory is, seen from the root."""
    above = os.readlink(f"/proc/self/fd/{top}").rstrip("/")
    return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(above) or "/"
