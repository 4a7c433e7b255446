# SPDX-License-Identifier: Apache-2.0
"""Stage the contents of files: fetch and verify all of them before the first file is moved into place.

Each resource is written to a staging directory on the mount of its file, so that moving it into place
is a rename. Remote resources are fetched in parallel. The tree changes only after all of them are
complete and verified.

Staging directories have a fixed name, so the next run removes the leftovers of an interrupted one.
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
from ignition.host.files.root_view import RootView
from ignition.host.root import Root
from ignition.host.source import Source
from ignition.resource.redact import redact
from ignition.stages import Action, act
from ignition.stages.actions import Parallel

__all__ = ["STAGING", "Piece", "Staged", "assemble", "fetches", "same_contents", "staging_directory"]

STAGING: Final = ".ignition-staging"
CHUNK: Final = 1 << 20
"""Bytes of a file that are in memory at a time."""

SMALL: Final = 1 << 15
"""Characters of a `data:` URL below which it is decompressed in memory; gzip expands by up to 1,000 times."""


@dataclass(frozen=True)
class Piece:
    """One resource that a file consists of, or a part of it.

    Attributes:
        path: the place in the config.
        place: the file that it belongs to.
        source: the resource.
        staged: its path in a staging directory of the target root.
        mode: the mode of the staged file; the final mode saves a later change.
    """

    path: ConfigPath
    place: str
    source: Source
    staged: str
    mode: int = 0o600

    @property
    def is_local(self) -> bool:
        """Whether the bytes are in the config."""
        return not self.source.url or self.source.url.startswith("data:")

    @property
    def shown(self) -> str:
        """The URL without secrets; "data:" for contents of the config."""
        return "data:" if self.is_local else redact(self.source.url)

    @property
    def sources(self) -> tuple[str, ...]:
        """The URL for the record."""
        return (self.shown,)

    def describe(self) -> str:
        """Name the file, not the URL, which may contain secrets."""
        return f"fetching contents of {self.place}"

    def perform(self, host: Host) -> None:
        """Fetch and verify it."""
        verified = self.source.hash.lower() if self.source.url else ""
        if self.is_local and len(self.source.url) < SMALL:
            host.root.create_whole(self.staged, host.fetch.bytes(self.source), self.mode, digest=verified)
            return
        with host.root.create(self.staged, self.mode, digest=verified) as file:
            host.fetch.file(self.source, file)


@dataclass(frozen=True)
class StageLocal:
    """Stage the contents that are in the config."""

    path: ConfigPath
    pieces: tuple[Piece, ...]

    def describe(self) -> str:
        return f"staging {len(self.pieces)} contents from the config"

    def perform(self, host: Host) -> None:
        """Decode and verify each; an error names the file."""
        for piece in self.pieces:
            try:
                piece.perform(host)
            except IgnitionError as error:
                raise ActionFailed(
                    piece.describe(), str(error), path=error.path or piece.path, hint=error.hint
                ) from error


@dataclass(frozen=True)
class Staged:
    """Actions that need staging directories, which are removed at the end in any case."""

    path: ConfigPath
    directories: tuple[str, ...]
    actions: tuple[Action, ...]

    def describe(self) -> str:
        return "creating files, directories and links"

    def perform(self, host: Host) -> None:
        self._clear(host.root)
        try:
            for directory in self.directories:
                host.root.make_directories(directory, 0o700)
            with host.root.cached_directories():
                for action in self.actions:
                    act(action, host)
        finally:
            self._clear(host.root)

    def _clear(self, root: Root) -> None:
        for directory in self.directories:
            root.remove(directory)


def fetches(pieces: Iterable[Piece]) -> tuple[Action, ...]:
    """Return the actions that stage all pieces."""
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
    """Append all pieces of a file to the first one; return the path of that one."""
    first, *rest = (piece.staged for piece in pieces)
    if rest:
        with root.open(first, append=True) as whole:
            for part in rest:
                copy(root, part, whole)
    return first


def copy(root: Root, path: str, into: BinaryIO) -> None:
    """Copy a file's bytes to `into`."""
    with root.open(path) as file:
        while chunk := file.read(CHUNK):
            into.write(chunk)


def same_contents(root: Root, one: str, other: str) -> bool:
    """Whether two regular files have equal contents."""
    if root.lstat(one).st_size != root.lstat(other).st_size:
        return False
    with root.open(one) as first, root.open(other) as second:
        while chunk := first.read(CHUNK):
            if chunk != second.read(len(chunk)):
                return False
    return True


def staging_directory(root: RootView, place: str, removed: Iterable[str]) -> str | None:
    """Return the staging directory for `place`: on its mount, in the topmost writable directory.

    Image-based systems have a read-only top directory. Directories below a `removed` path do not
    count. None if no directory is writable.
    """
    above = _existing_above(root, place)
    mount = root.mount_id(above[-1])
    doomed = [f"{path}/" for path in removed]
    for directory in above:
        if any(f"{directory}/".startswith(path) for path in doomed):
            continue
        if root.mount_id(directory) == mount and root.is_writable(directory):
            return f"{directory.rstrip('/')}/{STAGING}"
    return None


def _existing_above(root: RootView, place: str) -> list[str]:
    """Return the existing directories above a resolved path, topmost first."""
    found = ["/"]
    for part in place.split("/")[1:-1]:
        directory = f"{found[-1].rstrip('/')}/{part}"
        status = root.find(directory)
        if status is None or not stat.S_ISDIR(status.st_mode):
            break
        found.append(directory)
    return found
