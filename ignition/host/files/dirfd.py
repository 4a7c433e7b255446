"""One entry of an open directory: made, permitted, removed.

Everything here takes the directory's descriptor and a name in it, never a path, and follows no link, so
nothing can be put in between. `Root` finds the directories.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from ignition.host.files.path_change import Standing, standing

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
"""User id and group id; -1 leaves one as it is."""

SAME: Final[Owner] = (-1, -1)
"""An owner that stays as it is."""

SET_IDS: Final = stat.S_ISUID | stat.S_ISGID


def create(directory: int, name: str, mode: int = 0o600) -> int:
    """The descriptor of a new file; what an interrupted run left under its name goes first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, mode, dir_fd=directory)
    except FileExistsError:
        os.unlink(name, dir_fd=directory)
        return os.open(name, flags, mode, dir_fd=directory)


def write(directory: int, name: str, data: bytes, mode: int = 0o600, owner: Owner = SAME) -> Standing:
    """Make a new file with these contents; see `create` and `give`."""
    descriptor = create(directory, name, mode & 0o777)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        return give(descriptor, mode, owner)
    finally:
        os.close(descriptor)


def unlink(directory: int, name: str) -> None:
    """Remove a file or link; nothing there is fine."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def give(descriptor: int, mode: int, owner: Owner) -> Standing:
    """Set owner, then mode, of an open file: a change of owner takes the setuid and setgid bits away.

    Returns:
        How it stands now.
    """
    current = os.fstat(descriptor)
    is_given = _differs(owner, current)
    if is_given:
        os.fchown(descriptor, *owner)
    if is_given or stat.S_IMODE(current.st_mode) != mode:
        os.fchmod(descriptor, mode)
    return standing(current, owner=owner, mode=mode)


def _differs(owner: Owner, current: os.stat_result) -> bool:
    user, group = owner
    return user not in {-1, current.st_uid} or group not in {-1, current.st_gid}


def permit(directory: int, name: str, owner: Owner, mode: int | None) -> Standing:
    """Set owner, then mode, where they differ; `None` leaves the mode, special bits included.

    Returns:
        How it stands now.
    """
    current = os.lstat(name, dir_fd=directory)
    kept = stat.S_IMODE(current.st_mode)
    wanted = kept if mode is None else mode
    is_given = _differs(owner, current)
    if is_given:
        os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)
    # A new owner takes setuid and setgid bits away from files, but not from directories.
    is_stripped = is_given and bool(kept & SET_IDS)
    if (wanted != kept or is_stripped) and not (mode is None and stat.S_ISLNK(current.st_mode)):
        change_mode(directory, name, wanted)
    return standing(current, owner=owner, mode=wanted)


def change_mode(directory: int, name: str, mode: int) -> None:
    """Set the mode, special bits included; a link is an error."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def remove(directory: int, name: str, mount: int) -> None:
    """Remove whatever it is, a directory with all that is in it on the same mount; nothing there is fine."""
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
            raise OSError(errno.EBUSY, f"a file system is mounted at {name} below it")
        for entry in os.listdir(descriptor):
            remove(descriptor, entry, mount)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=directory)


def mount_id(descriptor: int) -> int:
    """The mount of an open file; source: proc(5), /proc/pid/fdinfo."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return int(fields["mnt_id"])
