"""Files under the target root: the one gate through which a stage changes the machine's tree.

Paths are resolved by `ignition.host.files.tree`; changes are made relative to the descriptor of the resolved
directory, so nothing can be put in between check and use. A link to a directory that is not there yet is
written through: the directory it names is made, inside the root.

A file appears under its name whole or not at all: it is written beside its place and renamed. What is
left of a write that was interrupted has one fixed name per directory, so the next write takes it away.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ignition.host.files import dirfd
from ignition.host.files.dirfd import SAME, Owner
from ignition.host.files.openat2 import syncfs
from ignition.host.files.path_change import Change, Digest, Digesting, Standing, Witness, look, standing
from ignition.host.files.tree import DIRECTORY, Tree, clean, named

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SAME", "Owner", "Root"]

TEMPORARY: Final = ".ignition-new"
"""What a file or link is called, in its directory, before it is renamed."""

Parent = Callable[[str], AbstractContextManager[tuple[int, str]]]
"""Opens the directory that holds a path."""

UNSEEN: Final = nullcontext()
"""Around a change that no witness is told of."""


class Root(Tree):
    """The tree of the machine that is being set up, to be looked at and changed.

    Attributes:
        touched: what was made or replaced here, topmost new directory or file; in order, each once.
            The security labels of these have to be set anew.
        witness: is told of each change, but for those to files that `create` made and that wait for their
            place under another name.
    """

    def __init__(self, path: str, witness: Witness | None = None) -> None:
        super().__init__(path)
        self.touched: dict[str, None] = {}
        self.witness = witness
        self._waiting: dict[str, Digest] = {}

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
            descriptor = dirfd.create(directory, TEMPORARY)
            digest = Digest() if self.witness else None
            try:
                with _writing(descriptor, digest) as file:
                    yield file
                    file.flush()
                    after = dirfd.give(descriptor, mode, owner)
                with self._witnessed(path, directory, name, _digested(after, digest)):
                    os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                dirfd.unlink(directory, TEMPORARY)
                raise

    def write(self, path: str, data: bytes, *, mode: int = 0o644, owner: Owner = (0, 0)) -> None:
        """Write a whole file; see `replace`."""
        sum_ = self._digest_of(data)
        with self._place(path) as (directory, name):
            try:
                after = dirfd.write(directory, TEMPORARY, data, mode, owner)
                with self._witnessed(path, directory, name, _digested(after, sum_)):
                    os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                dirfd.unlink(directory, TEMPORARY)
                raise

    def create(self, path: str, mode: int = 0o600, *, digest: str = "") -> BinaryIO:
        """Open a new file for writing and reading; what bears its name is removed before.

        Its mode is at most the one given: the umask, and all but the nine bits of permissions, go off.
        `digest` is what its contents will have been verified to have; that need not be computed again.
        """
        sum_ = Digest(digest) if self.witness else None
        with self._parent(path) as (directory, name):
            file = _writing(dirfd.create(directory, name, mode & 0o777), sum_)
        if sum_:
            self._waiting[clean(path)] = sum_
        return file

    def create_whole(self, path: str, data: bytes, mode: int = 0o600, *, digest: str = "") -> None:
        """As `create`, for contents that are at hand."""
        with self._parent(path) as (directory, name):
            dirfd.write(directory, name, data, mode & 0o777)
        if sum_ := self._digest_of(data, digest):
            self._waiting[clean(path)] = sum_

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
                return self._appending(clean(path), directory, name, descriptor, self.witness)
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
        digest = self._waiting.pop(clean(old), None)
        with self._parent(old) as (source, source_name), self._place(new) as (directory, name):
            after = dirfd.permit(source, source_name, owner, mode)
            with self._witnessed(new, directory, name, _digested(after, digest)):
                os.rename(source_name, name, src_dir_fd=source, dst_dir_fd=directory)

    def symlink(self, target: str, path: str, *, owner: Owner = (0, 0)) -> None:
        """Put a link with exactly this text at `path`, replacing a file or link that is there."""
        with self._place(path) as (directory, name):
            dirfd.unlink(directory, TEMPORARY)
            os.symlink(target, TEMPORARY, dir_fd=directory)
            os.chown(TEMPORARY, *owner, dir_fd=directory, follow_symlinks=False)
            with self._witnessed(path, directory, name):
                os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)

    def link(self, existing: str, path: str) -> None:
        """Make `path` a further name of the file `existing`, replacing a file or link that is there."""
        with self._parent(existing) as (source, source_name), self._place(path) as (directory, name):
            dirfd.unlink(directory, TEMPORARY)
            os.link(source_name, TEMPORARY, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
            with self._witnessed(path, directory, name):
                os.rename(TEMPORARY, name, src_dir_fd=directory, dst_dir_fd=directory)
            # Renaming a name of a file onto another name of it does nothing, by definition.
            dirfd.unlink(directory, TEMPORARY)

    def remove(self, path: str) -> None:
        """Remove what stands at `path`, a directory with all that is in it; nothing there is fine.

        No link is followed and no other mount is entered: a mount point in the tree is an error.
        """
        if self._kept:
            self._kept.clear()
        try:
            with self._parent(path) as (directory, name), self._witnessed(path, directory, name):
                dirfd.remove(directory, name, dirfd.mount_id(directory))
        except FileNotFoundError:
            return

    def chown(self, path: str, owner: Owner) -> None:
        """Give `path`, or the link that it is, to a user and a group."""
        with self._parent(path) as (directory, name), self._witnessed(path, directory, name, read=False):
            os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)

    def chmod(self, path: str, mode: int) -> None:
        """Set the mode of a file or directory, special bits included; a link is an error."""
        with self._parent(path) as (directory, name), self._witnessed(path, directory, name, read=False):
            dirfd.change_mode(directory, name, mode)

    def permit(self, path: str, owner: Owner, mode: int | None = None) -> None:
        """Set owner, then mode, where they differ; `None` leaves the mode, special bits included.

        In this order, because a change of owner takes the setuid and setgid bits away.
        """
        with self._parent(path) as (directory, name), self._witnessed(path, directory, name, read=False):
            dirfd.permit(directory, name, owner, mode)

    def sync(self, paths: Iterable[str]) -> None:
        """Write the file systems on which the directories `paths` lie to their disks, each once."""
        done: set[int] = set()
        for path in paths:
            with self._opened(clean(path), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                device = os.fstat(descriptor).st_dev
                if device not in done:
                    syncfs(descriptor)
                    done.add(device)

    def touch(self, path: str) -> None:
        """Remember that `path` was made or replaced, be it by somebody else."""
        self.touched[clean(path)] = None

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

    def _digest_of(self, data: bytes, known: str = "") -> Digest | None:
        """The digest of contents, for the witness; nothing is computed if it is known, or nobody wants it."""
        if not self.witness:
            return None
        digest = Digest(known)
        digest.update(data)
        return digest

    def _witnessed(
        self, path: str, directory: int, name: str, after: Standing | None = None, *, read: bool = True
    ) -> AbstractContextManager[None]:
        """Tell the witness what the change inside does to `name`.

        `after` is how it will stand, if that is known; contents stay the same without `read`.
        """
        if self.witness is None or path in self._waiting:
            return UNSEEN
        return _Witnessed(self.witness, path, directory, name, after, read=read)

    def _place(self, path: str) -> AbstractContextManager[tuple[int, str]]:
        """As `_parent`, for something new: directories above it are made, and what is done is noted."""
        return _Place(self, self._parent, path)

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


class _Place:
    """See `Root._place`. No generator, and neither is the next: a stage with many files passes here often."""

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


class _Witnessed:
    """See `Root._witnessed`."""

    def __init__(
        self, witness: Witness, path: str, directory: int, name: str, after: Standing | None, *, read: bool
    ) -> None:
        self._witness = witness
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
                self._witness(Change(clean(self._path), self._before, after))

    def _look(self) -> Standing | None:
        return look(self._directory, self._name, read=self._read)


def _digested(after: Standing, digest: Digest | None) -> Standing | None:
    """With the digest of its contents; `None` if that is not known and has to be looked for."""
    known = str(digest or "")
    return after._replace(digest=known) if known else None


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
    with named(place):
        try:
            return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        except FileNotFoundError:
            os.mkdir(name, mode, dir_fd=directory)
            made.append(place)
            return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)


def _writing(descriptor: int, digest: Digest | None) -> BinaryIO:
    """A new file, open for writing and reading."""
    return Digesting(descriptor, digest) if digest else os.fdopen(descriptor, "w+b")
