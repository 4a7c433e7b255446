# SPDX-License-Identifier: Apache-2.0
"""Actions that write files, directories and links (docs/reference/stages.md, "files stage").

Each action checks the path again before it acts and leaves a matching object untouched, so a second run
changes nothing and hard links to a file survive.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.root import SAME, Owner, Root
from ignition.stages.files.tree.append_journal import append_once
from ignition.stages.files.tree.staging import Piece, assemble, same_contents

__all__ = [
    "NEW_FILE", "SAME", "AppendToFile", "ExpectContents", "PlaceDirectory", "PlaceFile", "PlaceHardLink",
    "PlaceLink", "SetPermissions",
]  # fmt: skip

NEW_FILE: int = 0o644


@dataclass(frozen=True)
class PlaceFile:
    """Write a whole file, replacing an existing object.

    Attributes:
        is_new: whether the path did not exist, so that nothing has to be compared.
    """

    path: ConfigPath
    place: str
    pieces: tuple[Piece, ...]
    owner: Owner
    mode: int | None
    is_new: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The URLs of the contents without secrets, for the record."""
        return tuple(piece.shown for piece in self.pieces)

    def describe(self) -> str:
        return f'writing file "{self.place}"'

    def perform(self, host: Host) -> None:
        """Write it; owner and mode are set before the file appears under its name."""
        root, mode = host.root, NEW_FILE if self.mode is None else self.mode
        owner = _owner_of_new(root, self.place, self.owner)
        if not self.pieces:
            if not _is_empty_file(root, self.place, mode, owner):
                _remove_directory(root, self.place)
                root.write(self.place, b"", mode=mode, owner=owner)
            return
        staged = assemble(root, self.pieces)
        if not self.is_new and root.exists(self.place):
            root.permit(staged, owner, mode)
            if _is_equal(root, staged, self.place):
                return
            _remove_directory(root, self.place)
        root.rename(staged, self.place, owner=owner, mode=mode)


@dataclass(frozen=True)
class ExpectContents:
    """Check that a file that must not be overwritten has the configured contents."""

    path: ConfigPath
    place: str
    pieces: tuple[Piece, ...]

    def describe(self) -> str:
        return f'comparing file "{self.place}" with the configured contents'

    def perform(self, host: Host) -> None:
        """Compare; writes nothing."""
        if not same_contents(host.root, assemble(host.root, self.pieces), self.place):
            raise IgnitionError(
                f"{self.place} exists with other contents",
                path=self.path,
                hint="set overwrite: true to replace it",
            )


@dataclass(frozen=True)
class AppendToFile:
    """Append to a file; create it if it is missing."""

    path: ConfigPath
    place: str
    pieces: tuple[Piece, ...]
    owner: Owner
    mode: int | None

    @property
    def sources(self) -> tuple[str, ...]:
        """The URLs of the contents without secrets, for the record."""
        return tuple(piece.shown for piece in self.pieces)

    def describe(self) -> str:
        return f'appending to file "{self.place}"'

    def perform(self, host: Host) -> None:
        """Append what an earlier run did not append, then set owner and mode."""
        root = host.root
        if not root.exists(self.place):
            root.write(self.place, b"", owner=_owner_of_new(root, self.place, self.owner))
        append_once(root, self.place, assemble(root, self.pieces))
        root.permit(self.place, self.owner, self.mode)


@dataclass(frozen=True)
class PlaceDirectory:
    """Create a directory; with `empty`, remove an existing object first."""

    path: ConfigPath
    place: str
    owner: Owner
    mode: int | None
    empty: bool = False

    def describe(self) -> str:
        return f'creating directory "{self.place}"'

    def perform(self, host: Host) -> None:
        """Create it. Missing parent directories belong to root and have mode 0755, less the umask."""
        if self.empty:
            host.root.remove(self.place)
        host.root.make_directories(self.place)
        host.root.permit(self.place, self.owner, self.mode)


@dataclass(frozen=True)
class PlaceLink:
    """Write a symlink with its target text verbatim."""

    path: ConfigPath
    place: str
    target: str
    owner: Owner

    def describe(self) -> str:
        return f'writing link "{self.place}" -> "{self.target}"'

    def perform(self, host: Host) -> None:
        """Write it, replacing any other object."""
        root, found = host.root, host.root.find(self.place)
        if found and stat.S_ISLNK(found.st_mode) and root.readlink(self.place) == self.target:
            root.permit(self.place, self.owner)
            return
        _remove_directory(root, self.place)
        root.symlink(self.target, self.place, owner=self.owner)


@dataclass(frozen=True)
class PlaceHardLink:
    """Write a hard link. `target` is a path in the target root; a leading slash is optional."""

    path: ConfigPath
    place: str
    target: str
    overwrite: bool

    def describe(self) -> str:
        return f'writing hard link "{self.place}" -> "{self.target}"'

    def perform(self, host: Host) -> None:
        """Write it unless both names are one file; a file equal to the target is replaced."""
        root = host.root
        target, found = root.lstat(self.target), root.find(self.place)
        if found and (found.st_dev, found.st_ino) == (target.st_dev, target.st_ino):
            return
        if found and not self.overwrite and not _is_equal(root, self.target, self.place):
            raise IgnitionError(
                f"{self.place} exists and is not {self.target}",
                hint="set overwrite: true to replace it",
            )
        _remove_directory(root, self.place)
        root.link(self.target, self.place)


@dataclass(frozen=True)
class SetPermissions:
    """Set owner and mode of an existing object."""

    path: ConfigPath
    place: str
    owner: Owner
    mode: int | None

    def describe(self) -> str:
        return f'setting owner and mode of "{self.place}"'

    def perform(self, host: Host) -> None:
        host.root.touch(self.place)
        host.root.permit(self.place, self.owner, self.mode)


def _owner_of_new(root: Root, place: str, owner: Owner) -> Owner:
    """Return the owner of a staged file, with the group that the kernel would give it at `place`."""
    user, group = owner
    return user, root.group_of_new(place) if group == -1 else group


def _is_equal(root: Root, one: str, other: str) -> bool:
    """Whether two files or symlinks have equal mode, owner and contents; `other` may be missing."""
    found, wanted = root.find(other), root.lstat(one)
    if found is None or _permissions_of(found) != _permissions_of(wanted):
        return False
    if stat.S_ISLNK(found.st_mode):
        return root.readlink(one) == root.readlink(other)
    return stat.S_ISREG(found.st_mode) and same_contents(root, one, other)


def _is_empty_file(root: Root, place: str, mode: int, owner: Owner) -> bool:
    found = root.find(place)
    return found is not None and (*_permissions_of(found), found.st_size) == (stat.S_IFREG | mode, *owner, 0)


def _permissions_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid


def _remove_directory(root: Root, place: str) -> None:
    """Remove a directory; a rename replaces any other object."""
    found = root.find(place)
    if found and stat.S_ISDIR(found.st_mode):
        root.remove(place)
