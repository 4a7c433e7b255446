"""What a change does to a path of the target: how it stood before, and how it stands after.

`Root` tells its witness of each change that it makes. Contents are digested as they are written; what is
there is read only if it is about to be replaced, removed or appended to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from io import BufferedRandom, FileIO
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import hashlib

__all__ = ["Change", "Digest", "Digesting", "Standing", "Witness", "look", "standing"]

PIECE: Final = 1 << 20
"""How many bytes of a file are in memory at a time."""

MOST: Final = 256 << 20
"""Bytes of a file that are read for its digest at most: a disk image that goes must not hold up a boot."""

KINDS: Final = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Standing(NamedTuple):
    """How something stands at a path.

    Attributes:
        kind: file, directory, link, or other.
        uid: owner's id.
        gid: group's id.
        mode: permission bits, special ones too.
        size: of a file, in bytes.
        digest: of a file's contents, as a config names it (`sha256-…`); empty if they were not looked at.
        unread: why they could not be.
        target: a link's text.
    """

    kind: str
    uid: int
    gid: int
    mode: int
    size: int = 0
    digest: str = ""
    unread: str = ""
    target: str = ""


class Change(NamedTuple):
    """How a path of the target stood and stands; `None` where nothing is there."""

    path: str
    before: Standing | None
    after: Standing | None


Witness = Callable[[Change], None]
"""Is told of each change; several threads may tell it at once."""


class Digest:
    """The digest of what is written to one file, kept up while it is written.

    `known` is the digest that somebody else verifies it to have; then nothing is computed.
    """

    __slots__ = ("_hash", "_known")

    def __init__(self, known: str = "") -> None:
        self._known = known
        self._hash: hashlib._Hash | None = None
        if not known:
            self.restart()

    def restart(self) -> None:
        """Begin anew, with no bytes."""
        if not self._known:
            import hashlib

            self._hash = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._hash is not None:
            self._hash.update(data)

    def more_follows(self) -> None:
        """What was known is not all there is."""
        self._known = ""

    def lose(self) -> None:
        """It is not written from start to end; whoever needs the digest has to read it."""
        self._known, self._hash = "", None

    def __str__(self) -> str:
        """The digest with its function; empty if it is not known."""
        return self._known or (f"sha256-{self._hash.hexdigest()}" if self._hash is not None else "")


class Digesting(BufferedRandom):
    """A file opened for writing and reading that keeps a digest up.

    Before it is closed, when all is written, `closing` is called with its descriptor.
    """

    def __init__(self, descriptor: int, digest: Digest, closing: Callable[[int], None] | None = None) -> None:
        super().__init__(FileIO(descriptor, "r+"))
        self._digest = digest
        self._closing = closing

    def write(self, data: bytes) -> int:  # type: ignore[override]  # only bytes are written here
        """Write at the end of what was written before."""
        self._digest.update(data)
        return super().write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go somewhere else; only what is then cut off leaves a digest."""
        self._digest.lose()
        return super().seek(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        """Cut off what follows; from the start, it begins anew."""
        length = super().truncate(size)
        if length == 0:
            self._digest.restart()
        return length

    def close(self) -> None:
        """Write what is left, and say so."""
        if not self.closed and self._closing is not None:
            self.flush()
            self._closing(self.fileno())
        super().close()


def standing(
    status: os.stat_result,
    *,
    owner: tuple[int, int] = (-1, -1),
    mode: int | None = None,
    digest: str = "",
    unread: str = "",
    target: str = "",
) -> Standing:
    """What a status says, and what else is known; owner (but for -1) and mode are those it got since."""
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "other")
    return Standing(
        kind,
        status.st_uid if owner[0] == -1 else owner[0],
        status.st_gid if owner[1] == -1 else owner[1],
        stat.S_IMODE(status.st_mode) if mode is None else mode,
        status.st_size if kind == "file" else 0,
        digest,
        unread,
        target,
    )


def look(directory: int, name: str, *, read: bool = False, into: Digest | None = None) -> Standing | None:
    """How `name` stands in an open directory.

    Args:
        directory: its descriptor.
        name: no path.
        read: whether the contents of a file are wanted.
        into: what takes them up, if more will follow.
    """
    try:
        status = os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return standing(status, target=os.readlink(name, dir_fd=directory))
    if not (read and stat.S_ISREG(status.st_mode)):
        return standing(status)
    digest = into or Digest()
    if status.st_size > MOST:
        digest.lose()
        return standing(status, unread=f"it is larger than {MOST >> 20} MiB")
    try:
        _read(directory, name, digest)
    except OSError as error:
        digest.lose()
        return standing(status, unread=error.strerror or type(error).__name__)
    return standing(status, digest=str(digest))


def _read(directory: int, name: str, digest: Digest) -> None:
    descriptor = os.open(name, READ, dir_fd=directory)
    try:
        while data := os.read(descriptor, PIECE):
            digest.update(data)
    finally:
        os.close(descriptor)
