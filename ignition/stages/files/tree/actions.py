"""The actions that put files, directories and links in place. Source: engine.md 8 and 9.5, point 4.

Each one looks again before it acts: what is already as it should be stays untouched, so a second run
changes nothing, and hard links to a file survive it.
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
    "NEW_FILE", "SAME", "AppendToFile", "ExpectContents", "GivePermissions", "PlaceDirectory", "PlaceFile",
    "PlaceHardLink", "PlaceLink",
]  # fmt: skip

NEW_FILE: int = 0o644


@dataclass(frozen=True)
class PlaceFile:
    """Put a whole file in place, replacing whatever is there.

    Attributes:
        is_new: nothing was there, so nothing has to be compared.
    """

    path: ConfigPath
    place: str
    pieces: tuple[Piece, ...]
    owner: Owner
    mode: int | None
    is_new: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the contents came from, for the record."""
        return tuple(piece.shown for piece in self.pieces)

    def describe(self) -> str:
        """Which file."""
        return f'writing file "{self.place}"'

    def perform(self, host: Host) -> None:
        """Owner and mode are set before it appears under its name."""
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
            if _alike(root, staged, self.place):
                return
            _remove_directory(root, self.place)
        root.rename(staged, self.place, owner=owner, mode=mode)


@dataclass(frozen=True)
class ExpectContents:
    """A file that must not be overwritten has to hold already what it should."""

    path: ConfigPath
    place: str
    pieces: tuple[Piece, ...]

    def describe(self) -> str:
        """Which file."""
        return f'comparing file "{self.place}" with its wanted contents'

    def perform(self, host: Host) -> None:
        """Compare; the file is not changed."""
        if not same_contents(host.root, assemble(host.root, self.pieces), self.place):
            raise IgnitionError(
                f"{self.place} exists already, with other contents",
                path=self.path,
                hint="set overwrite: true if it may be replaced",
            )


@dataclass(frozen=True)
class AppendToFile:
    """Append to a file, which is made if it is not there."""

    path: ConfigPath
    place: str
    pieces: tuple[Piece, ...]
    owner: Owner
    mode: int | None

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the contents came from, for the record."""
        return tuple(piece.shown for piece in self.pieces)

    def describe(self) -> str:
        """Which file."""
        return f'appending to file "{self.place}"'

    def perform(self, host: Host) -> None:
        """Append what is not there from an earlier run, then set owner and mode."""
        root = host.root
        if not root.exists(self.place):
            root.write(self.place, b"", owner=_owner_of_new(root, self.place, self.owner))
        append_once(root, self.place, assemble(root, self.pieces))
        root.permit(self.place, self.owner, self.mode)


@dataclass(frozen=True)
class PlaceDirectory:
    """Make a directory; with `empty`, what is there goes first."""

    path: ConfigPath
    place: str
    owner: Owner
    mode: int | None
    empty: bool = False

    def describe(self) -> str:
        """Which directory."""
        return f'creating directory "{self.place}"'

    def perform(self, host: Host) -> None:
        """Missing directories above it belong to root and have mode 0755, less the umask."""
        if self.empty:
            host.root.remove(self.place)
        host.root.make_directories(self.place)
        host.root.permit(self.place, self.owner, self.mode)


@dataclass(frozen=True)
class PlaceLink:
    """Put a symbolic link in place, its text verbatim."""

    path: ConfigPath
    place: str
    target: str
    owner: Owner

    def describe(self) -> str:
        """Which link, and where it leads."""
        return f'writing link "{self.place}" -> "{self.target}"'

    def perform(self, host: Host) -> None:
        """Replace whatever else is there."""
        root, found = host.root, host.root.find(self.place)
        if found and stat.S_ISLNK(found.st_mode) and root.readlink(self.place) == self.target:
            root.permit(self.place, self.owner)
            return
        _remove_directory(root, self.place)
        root.symlink(self.target, self.place, owner=self.owner)


@dataclass(frozen=True)
class PlaceHardLink:
    """Give a file one more name. `target` is a path from the root, also without a slash in front."""

    path: ConfigPath
    place: str
    target: str
    overwrite: bool

    def describe(self) -> str:
        """Both names."""
        return f'writing hard link "{self.place}" -> "{self.target}"'

    def perform(self, host: Host) -> None:
        """Nothing is done if both are one file already; a file that is just like the other may go."""
        root = host.root
        target, found = root.lstat(self.target), root.find(self.place)
        if found and (found.st_dev, found.st_ino) == (target.st_dev, target.st_ino):
            return
        if found and not self.overwrite and not _alike(root, self.target, self.place):
            raise IgnitionError(
                f"{self.place} exists already and is not {self.target}",
                hint="set overwrite: true if it may be replaced",
            )
        _remove_directory(root, self.place)
        root.link(self.target, self.place)


@dataclass(frozen=True)
class GivePermissions:
    """Set owner and mode of what exists."""

    path: ConfigPath
    place: str
    owner: Owner
    mode: int | None

    def describe(self) -> str:
        """Of what."""
        return f'setting owner and mode of "{self.place}"'

    def perform(self, host: Host) -> None:
        """Owner first."""
        host.root.touch(self.place)
        host.root.permit(self.place, self.owner, self.mode)


def _owner_of_new(root: Root, place: str, owner: Owner) -> Owner:
    """The owner of a file that waits elsewhere, with the group it would get if it were made at `place`."""
    user, group = owner
    return user, root.group_of_new(place) if group == -1 else group


def _alike(root: Root, one: str, other: str) -> bool:
    """Whether two files or two links are the same in all that can be seen; `other` may be missing."""
    found, wanted = root.find(other), root.lstat(one)
    if found is None or _visible(found) != _visible(wanted):
        return False
    if stat.S_ISLNK(found.st_mode):
        return root.readlink(one) == root.readlink(other)
    return stat.S_ISREG(found.st_mode) and same_contents(root, one, other)


def _is_empty_file(root: Root, place: str, mode: int, owner: Owner) -> bool:
    found = root.find(place)
    return found is not None and (*_visible(found), found.st_size) == (stat.S_IFREG | mode, *owner, 0)


def _visible(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid


def _remove_directory(root: Root, place: str) -> None:
    """A rename replaces anything but a directory, so that goes first."""
    found = root.find(place)
    if found and stat.S_ISDIR(found.st_mode):
        root.remove(place)
