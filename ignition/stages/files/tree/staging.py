"""The contents of files, had and verified before the first file is moved into place.

Each resource is written to a staging directory on the mount where its file will be, so that moving it
there is a rename. Remote resources are fetched side by side. Only when all of them are there and right
does the tree begin to change.

The staging directories have a fixed name: what an interrupted run left in one is removed by the next.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final

from ignition import distro
from ignition.configpath import ConfigPath
from ignition.errors import ActionFailed, IgnitionError
from ignition.host import Host
from ignition.host.root import Root
from ignition.host.source import Source
from ignition.resource.redact import redact
from ignition.stages import Action, act
from ignition.stages.actions import Parallel

__all__ = ["STAGING", "Piece", "Staged", "assemble", "fetches", "same_contents", "staging_directory"]

STAGING: Final = ".ignition-staging"
CHUNK: Final = 1 << 20
"""How many bytes of a file are in memory at a time."""

SMALL: Final = 1 << 15
"""Of a `data:` URL that is unpacked in memory: gzip makes a thousand times as much of it at most."""


@dataclass(frozen=True)
class Piece:
    """One resource that makes up a file, or a part of it.

    Attributes:
        path: where the config names it.
        place: the file it is for.
        source: where it comes from.
        staged: where it waits, a path in the target root.
        mode: with which it waits; the file's own spares a change later.
    """

    path: ConfigPath
    place: str
    source: Source
    staged: str
    mode: int = 0o600

    @property
    def is_local(self) -> bool:
        """Whether the config itself holds the bytes."""
        return not self.source.url or self.source.url.startswith("data:")

    @property
    def shown(self) -> str:
        """The address without what is secret in it; of contents that the config holds, no more than that."""
        return "data:" if self.is_local else redact(self.source.url)

    @property
    def sources(self) -> tuple[str, ...]:
        """For the record."""
        return (self.shown,)

    def describe(self) -> str:
        """What it is for; the URL may hold secrets."""
        return f"fetching contents of {self.place}"

    def perform(self, host: Host) -> None:
        """Get it and verify it."""
        verified = self.source.hash.lower() if self.source.url else ""
        if self.is_local and len(self.source.url) < SMALL:
            host.root.create_whole(self.staged, host.fetch.bytes(self.source), self.mode, digest=verified)
            return
        with host.root.create(self.staged, self.mode, digest=verified) as file:
            host.fetch.file(self.source, file)


@dataclass(frozen=True)
class StageLocal:
    """Write down the contents that the config itself holds."""

    path: ConfigPath
    pieces: tuple[Piece, ...]

    def describe(self) -> str:
        """How many there are."""
        return f"staging {len(self.pieces)} contents from the config"

    def perform(self, host: Host) -> None:
        """Decode and verify each; an error names the one."""
        for piece in self.pieces:
            try:
                piece.perform(host)
            except IgnitionError as error:
                raise ActionFailed(
                    piece.describe(), str(error), path=error.path or piece.path, hint=error.hint
                ) from error


@dataclass(frozen=True)
class Staged:
    """Actions that need staging directories; these are gone at the end, however it ends."""

    path: ConfigPath
    directories: tuple[str, ...]
    actions: tuple[Action, ...]

    def describe(self) -> str:
        """The step as a whole."""
        return "creating files, directories and links"

    def perform(self, host: Host) -> None:
        """Perform the actions in their order."""
        self._clear(host.root)
        try:
            for directory in self.directories:
                host.root.make_directories(directory, 0o700)
            with host.root.steady():
                for action in self.actions:
                    act(action, host)
        finally:
            self._clear(host.root)

    def _clear(self, root: Root) -> None:
        for directory in self.directories:
            root.remove(directory)


def fetches(pieces: Iterable[Piece]) -> tuple[Action, ...]:
    """The actions that bring all `pieces` to their staging directories."""
    everything = tuple(pieces)
    local = tuple(piece for piece in everything if piece.is_local)
    remote = tuple(piece for piece in everything if not piece.is_local)
    actions: list[Action] = []
    if local:
        actions.append(StageLocal(local[0].path if len(local) == 1 else ("storage", "files"), local))
    if remote:
        what = f"fetching {len(remote)} files"
        actions.append(Parallel(("storage", "files"), what, remote, limit=distro.downloads()))
    return tuple(actions)


def assemble(root: Root, pieces: tuple[Piece, ...]) -> str:
    """Join the pieces of a file in the first one; returns where that is."""
    first, *rest = (piece.staged for piece in pieces)
    if rest:
        with root.open(first, append=True) as whole:
            for part in rest:
                copy(root, part, whole)
    return first


def copy(root: Root, path: str, into: BinaryIO) -> None:
    """Write a file's bytes to `into`."""
    with root.open(path) as file:
        while chunk := file.read(CHUNK):
            into.write(chunk)


def same_contents(root: Root, one: str, other: str) -> bool:
    """Whether two regular files hold the same bytes."""
    if root.lstat(one).st_size != root.lstat(other).st_size:
        return False
    with root.open(one) as first, root.open(other) as second:
        while chunk := first.read(CHUNK):
            if chunk != second.read(len(chunk)):
                return False
    return True


def staging_directory(root: Root, place: str, removed: Iterable[str]) -> str | None:
    """Where contents for `place` can wait: on its mount, as far up as one may write.

    Image-based systems have a top directory that cannot be written to, so it is not always the top of the
    mount. What will be `removed` on the way does not count. `None` when nothing there can be written to.
    """
    above = _existing_above(root, place)
    mount = root.mount_id(above[-1])
    doomed = [f"{path}/" for path in removed]
    for directory in above:
        if any(f"{directory}/".startswith(path) for path in doomed):
            continue
        if root.mount_id(directory) == mount and root.writable(directory):
            return f"{directory.rstrip('/')}/{STAGING}"
    return None


def _existing_above(root: Root, place: str) -> list[str]:
    """The real directories above a resolved path that exist, from the top."""
    found = ["/"]
    for part in place.split("/")[1:-1]:
        directory = f"{found[-1].rstrip('/')}/{part}"
        status = root.find(directory)
        if status is None or not stat.S_ISDIR(status.st_mode):
            break
        found.append(directory)
    return found
