"""Users and groups of the target root, read from its own files.

Nothing of the running system's name services is asked: the files are parsed, and `/usr/lib/passwd` and
`/usr/lib/group`, where image-based systems keep those of the distribution, come second (nss-altfiles).
Lines that the C library would pass over are passed over here (passwd(5), shadow(5), group(5)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition.host.command import Secret

if TYPE_CHECKING:
    from ignition.host.files.tree import Tree

__all__ = ["Accounts", "Group", "User", "read_accounts"]

USER_FILES: Final = ("/etc/passwd", "/usr/lib/passwd")
GROUP_FILES: Final = ("/etc/group", "/usr/lib/group")
SHADOWED: Final = "x"
"""The password field of those whose hash is kept in a file that only root may read."""


@dataclass(frozen=True)
class User:
    """One user; `password` is the hash, wherever it is kept."""

    name: str
    uid: int
    gid: int
    gecos: str = ""
    home: str = ""
    shell: str = ""
    password: Secret = field(default=Secret(""), repr=False)


@dataclass(frozen=True)
class Group:
    """One group and the users that have it as a supplementary one."""

    name: str
    gid: int
    members: frozenset[str] = frozenset()
    password: Secret = field(default=Secret(""), repr=False)


@dataclass(frozen=True)
class Accounts:
    """All users and groups of a root, by name."""

    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def supplementary(self, user: str) -> frozenset[str]:
        """The names of the groups that list `user` as a member."""
        return frozenset(group.name for group in self.groups.values() if user in group.members)


def read_accounts(root: Tree) -> Accounts:
    """The users and groups of `root`; a file that is not there has none."""
    return Accounts(
        users={user.name: user for user in reversed(list(_users(root)))},
        groups={group.name: group for group in reversed(list(_groups(root)))},
    )


def _users(root: Tree) -> Iterator[User]:
    hashes = {fields[0]: fields[1] for fields in _lines(root, "/etc/shadow", 2)}
    for file in USER_FILES:
        for name, password, uid, gid, gecos, home, shell in _lines(root, file, 7):
            if uid.isdecimal() and gid.isdecimal():
                kept = hashes.get(name, password) if password == SHADOWED else password
                yield User(name, int(uid), int(gid), gecos, home, shell, Secret(kept))


def _groups(root: Tree) -> Iterator[Group]:
    hashes = {fields[0]: fields[1] for fields in _lines(root, "/etc/gshadow", 2)}
    for file in GROUP_FILES:
        for name, password, gid, members in _lines(root, file, 4):
            if gid.isdecimal():
                kept = hashes.get(name, password) if password == SHADOWED else password
                listed = frozenset(filter(None, members.split(",")))
                yield Group(name, int(gid), listed, Secret(kept))


def _lines(root: Tree, path: str, fields: int) -> Iterator[list[str]]:
    """The lines of an account file that have at least so many fields, cut to that number."""
    try:
        text = root.read_text(path)
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        split = line.split(":")
        if split[0] and not line.startswith("#") and len(split) >= fields:
            yield split[:fields]
