# SPDX-License-Identifier: Apache-2.0
"""Changes of paths in the target root: the state before and after, with digests of contents.

`Root` reports each change to its listener. Contents are digested while they are written. Existing contents
are read only before they are replaced, removed or appended to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from io import BufferedRandom, FileIO
from typing import TYPE_CHECKING, Final, NamedTuple

from ignition.text import strerror

if TYPE_CHECKING:
    import hashlib

__all__ = [
    "ChangeListener",
    "Digest",
    "DigestingFile",
    "PathChange",
    "PathState",
    "path_state",
    "read_path_state",
]

CHUNK: Final = 1 << 20
"""Bytes of a file that are read at a time."""

MAX_DIGESTED: Final = 256 << 20
"""Size limit, in bytes, of existing files that are digested: removing a disk image must not delay a boot."""

KINDS: Final = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class PathState(NamedTuple):
    """The state of an existing path.

    Attributes:
        kind: file, directory, link (a symlink), or other.
        uid: user id of the owner.
        gid: group id of the owner.
        mode: permission bits, including setuid, setgid and sticky.
        size: of a file, in bytes.
        digest: of a file's contents, in the notation of configs (`sha256-…`); empty if they were not read.
        unread: the reason why the contents could not be read.
        target: of a symlink.
    """

    kind: str
    uid: int
    gid: int
    mode: int
    size: int = 0
    digest: str = ""
    unread: str = ""
    target: str = ""


class PathChange(NamedTuple):
    """The state of a path before and after a change; None where the path does not exist."""

    path: str
    before: PathState | None
    after: PathState | None


ChangeListener = Callable[[PathChange], None]
"""Receives each change; several threads may call it at the same time."""


class Digest:
    """The digest of one file, updated while the file is written.

    `known` is a digest that is verified elsewhere; then nothing is computed.
    """

    __slots__ = ("_hash", "_known")

    def __init__(self, known: str = "") -> None:
        self._known = known
        self._hash: hashlib._Hash | None = None
        if not known:
            self.restart()

    def restart(self) -> None:
        """Start again with no bytes."""
        if not self._known:
            import hashlib

            self._hash = hashlib.sha256()

    def update(self, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)

    def forget_known(self) -> None:
        """Drop the known digest, because more bytes follow."""
        self._known = ""

    def discard(self) -> None:
        """Give up the digest, because the file is not written from start to end."""
        self._known, self._hash = "", None

    def __str__(self) -> str:
        """Return `sha256-…` or the known digest; empty if it is unknown."""
        return self._known or (f"sha256-{self._hash.hexdigest()}" if self._hash is not None else "")


class DigestingFile(BufferedRandom):
    """A file, open for reading and writing, that updates a digest.

    `closing` is called with the descriptor after everything is written, before the file is closed.
    """

    def __init__(self, descriptor: int, digest: Digest, closing: Callable[[int], None] | None = None) -> None:
        super().__init__(FileIO(descriptor, "r+"))
        self._digest = digest
        self._closing = closing

    def write(self, data: bytes) -> int:  # type: ignore[override]  # only bytes are written here
        self._digest.update(data)
        return super().write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Change the position, which discards the digest until the file is truncated to nothing."""
        self._digest.discard()
        return super().seek(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        """Truncate the file; the digest starts again if nothing is left."""
        length = super().truncate(size)
        if length == 0:
            self._digest.restart()
        return length

    def close(self) -> None:
        if not self.closed and self._closing is not None:
            self.flush()
            self._closing(self.fileno())
        super().close()


def path_state(
    status: os.stat_result,
    *,
    owner: tuple[int, int] = (-1, -1),
    mode: int | None = None,
    digest: str = "",
    unread: str = "",
    target: str = "",
) -> PathState:
    """Return the state for a status; `owner` (except -1) and `mode` are newer than the status."""
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "other")
    return PathState(
        kind,
        status.st_uid if owner[0] == -1 else owner[0],
        status.st_gid if owner[1] == -1 else owner[1],
        stat.S_IMODE(status.st_mode) if mode is None else mode,
        status.st_size if kind == "file" else 0,
        digest,
        unread,
        target,
    )


def read_path_state(
    directory: int, name: str, *, read: bool = False, into: Digest | None = None
) -> PathState | None:
    """Read the state of an entry of an open directory; None if it does not exist.

    Args:
        directory: descriptor of the directory.
        name: name of the entry.
        read: whether to digest the contents of a file.
        into: the digest to update, if more bytes will follow.
    """
    try:
        status = os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return path_state(status, target=os.readlink(name, dir_fd=directory))
    if not (read and stat.S_ISREG(status.st_mode)):
        return path_state(status)
    digest = into or Digest()
    if status.st_size > MAX_DIGESTED:
        digest.discard()
        return path_state(status, unread=f"larger than {MAX_DIGESTED >> 20} MiB")
    try:
        _read(directory, name, digest)
    except OSError as error:
        digest.discard()
        return path_state(status, unread=strerror(error))
    return path_state(status, digest=str(digest))


def _read(directory: int, name: str, digest: Digest) -> None:
    descriptor = os.open(name, READ, dir_fd=directory)
    try:
        while data := os.read(descriptor, CHUNK):
            digest.update(data)
    finally:
        os.close(descriptor)
