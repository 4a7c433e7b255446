# SPDX-License-Identifier: Apache-2.0
"""Create, change and remove one entry of an open directory.

Functions take the descriptor of the directory and the name of the entry, never a path, and follow no
symlink, so a concurrent rename cannot redirect them. `Root` resolves the directories.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from ignition.host.files.path_change import PathState, path_state

__all__ = [
    "SAME",
    "Owner",
    "change_mode",
    "create",
    "give",
    "mount_id",
    "permit",
    "remove",
    "unlink",
    "write",
]

Owner = tuple[int, int]
"""User id and group id; -1 leaves one unchanged."""

SAME: Final[Owner] = (-1, -1)
"""Leaves user and group unchanged."""

SET_IDS: Final = stat.S_ISUID | stat.S_ISGID


def create(directory: int, name: str, mode: int = 0o600) -> int:
    """Create a file and return its descriptor; a file of an interrupted run is removed first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, mode, dir_fd=directory)
    except FileExistsError:
        os.unlink(name, dir_fd=directory)
        return os.open(name, flags, mode, dir_fd=directory)


def write(directory: int, name: str, data: bytes, mode: int = 0o600, owner: Owner = SAME) -> PathState:
    """Create a file with these contents; see `create` and `give`."""
    descriptor = create(directory, name, mode & 0o777)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        return give(descriptor, mode, owner)
    finally:
        os.close(descriptor)


def unlink(directory: int, name: str) -> None:
    """Remove a file or symlink if it exists."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def give(descriptor: int, mode: int, owner: Owner) -> PathState:
    """Set the owner, then the mode, of an open file, because chown clears the setuid and setgid bits.

    Returns:
        The new state.
    """
    current = os.fstat(descriptor)
    is_given = _differs(owner, current)
    if is_given:
        os.fchown(descriptor, *owner)
    if is_given or stat.S_IMODE(current.st_mode) != mode:
        os.fchmod(descriptor, mode)
    return path_state(current, owner=owner, mode=mode)


def _differs(owner: Owner, current: os.stat_result) -> bool:
    user, group = owner
    return user not in {-1, current.st_uid} or group not in {-1, current.st_gid}


def permit(directory: int, name: str, owner: Owner, mode: int | None) -> PathState:
    """Set owner, then mode, where they differ; None keeps the mode, including setuid and setgid.

    Returns:
        The new state.
    """
    current = os.lstat(name, dir_fd=directory)
    kept = stat.S_IMODE(current.st_mode)
    wanted = kept if mode is None else mode
    is_given = _differs(owner, current)
    if is_given:
        os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)
    # chown clears the setuid and setgid bits of files, but not of directories.
    is_stripped = is_given and bool(kept & SET_IDS)
    if (wanted != kept or is_stripped) and not (mode is None and stat.S_ISLNK(current.st_mode)):
        change_mode(directory, name, wanted)
    return path_state(current, owner=owner, mode=wanted)


def change_mode(directory: int, name: str, mode: int) -> None:
    """Set the mode, including special bits; a symlink is an error."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def remove(directory: int, name: str, mount: int) -> None:
    """Remove an entry if it exists, directories recursively but not across mounts.

    Raises:
        OSError: EBUSY if another filesystem is mounted at or below the entry.
    """
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        _remove_directory(directory, name, mount)


def _remove_directory(directory: int, name: str, mount: int) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if mount_id(descriptor) != mount:
            raise OSError(errno.EBUSY, f"another filesystem is mounted at {name}")
        for entry in os.listdir(descriptor):
            remove(descriptor, entry, mount)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=directory)


def mount_id(descriptor: int) -> int:
    """Return the id of the mount of an open file. Source: proc_pid_fdinfo(5)."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return int(fields["mnt_id"])
