# SPDX-License-Identifier: Apache-2.0
"""Users and groups of the target root.

The files of the target root are parsed; name services of the running system are not used. `/usr/lib/passwd`
and `/usr/lib/group` of image-based systems (nss-altfiles) have lower priority. Lines that the C library
ignores are ignored (passwd(5), shadow(5), group(5)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition.host.command import Secret

if TYPE_CHECKING:
    from ignition.host.files.root_view import RootView

__all__ = ["Accounts", "Group", "User", "read_accounts"]

USER_FILES: Final = ("/etc/passwd", "/usr/lib/passwd")
GROUP_FILES: Final = ("/etc/group", "/usr/lib/group")
SHADOWED: Final = "x"
"""Password field of entries whose hash is in the shadow file."""


@dataclass(frozen=True)
class User:
    """One user; `password` is the hash from passwd or shadow."""

    name: str
    uid: int
    gid: int
    gecos: str = ""
    home: str = ""
    shell: str = ""
    password: Secret = field(default=Secret(""), repr=False)


@dataclass(frozen=True)
class Group:
    """One group; `members` have it as a supplementary group."""

    name: str
    gid: int
    members: frozenset[str] = frozenset()
    password: Secret = field(default=Secret(""), repr=False)


@dataclass(frozen=True)
class Accounts:
    """The users and groups of the target root, by name."""

    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def supplementary(self, user: str) -> frozenset[str]:
        """Return the names of the groups with `user` as a member."""
        return frozenset(group.name for group in self.groups.values() if user in group.members)


def read_accounts(root: RootView) -> Accounts:
    """Read the users and groups of `root`; a missing file counts as empty."""
    return Accounts(
        users={user.name: user for user in reversed(list(_users(root)))},
        groups={group.name: group for group in reversed(list(_groups(root)))},
    )


def _users(root: RootView) -> Iterator[User]:
    hashes = {fields[0]: fields[1] for fields in _lines(root, "/etc/shadow", 2)}
    for file in USER_FILES:
        for name, password, uid, gid, gecos, home, shell in _lines(root, file, 7):
            if uid.isdecimal() and gid.isdecimal():
                hash_ = hashes.get(name, password) if password == SHADOWED else password
                yield User(name, int(uid), int(gid), gecos, home, shell, Secret(hash_))


def _groups(root: RootView) -> Iterator[Group]:
    hashes = {fields[0]: fields[1] for fields in _lines(root, "/etc/gshadow", 2)}
    for file in GROUP_FILES:
        for name, password, gid, members in _lines(root, file, 4):
            if gid.isdecimal():
                hash_ = hashes.get(name, password) if password == SHADOWED else password
                listed = frozenset(filter(None, members.split(",")))
                yield Group(name, int(gid), listed, Secret(hash_))


def _lines(root: RootView, path: str, fields: int) -> Iterator[list[str]]:
    """Yield the lines of an account file with at least `fields` fields, cut to that number."""
    try:
        text = root.read_text(path)
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        split = line.split(":")
        if split[0] and not line.startswith("#") and len(split) >= fields:
            yield split[:fields]
