# SPDX-License-Identifier: Apache-2.0
"""useradd, usermod, groupadd and related programs: change users and groups of a target root.

With `--root` they change into the target root, so its `login.defs` and `/etc/skel` apply. Password hashes are
never shown. Source of the command lines: docs/reference/stages.md, "files stage".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ignition.host.command import Command, Secret

__all__ = ["Account", "groupadd", "groupdel", "groupmod", "useradd", "userdel", "usermod"]

Words = Iterator[str | Secret]


@dataclass(frozen=True)
class Account:
    """Properties of a user; None and `()` mean the default of the program, or no change.

    Attributes:
        group: name or number of the primary group.
        groups: supplementary groups.
    """

    name: str
    password: Secret | None = None
    uid: int | None = None
    gecos: str | None = None
    group: str | None = None
    groups: tuple[str, ...] = field(default=())
    shell: str | None = None
    home: str | None = None

    def words(self) -> Words:
        """Yield the common options of useradd and usermod."""
        if self.password is not None:
            yield from ("--password", self.password)
        if self.uid is not None:
            yield from ("--uid", str(self.uid))
        if self.gecos is not None:
            yield from ("--comment", self.gecos)
        if self.group is not None:
            yield from ("--gid", self.group)
        if self.groups:
            yield from ("--groups", ",".join(self.groups))
        if self.shell is not None:
            yield from ("--shell", self.shell)


def useradd(
    root: str,
    account: Account,
    *,
    create_home: bool = True,
    user_group: bool = True,
    system: bool = False,
    log_init: bool = True,
) -> Command:
    """Create a user."""

    def words() -> Words:
        if account.home is not None:
            yield from ("--home-dir", account.home)
        yield "--create-home" if create_home else "--no-create-home"
        if not user_group:
            yield "--no-user-group"
        if system:
            yield "--system"
        if not log_init:
            yield "--no-log-init"
        yield from account.words()

    return Command(("useradd", "--root", root, *words(), account.name), f'creating user "{account.name}"')


def usermod(root: str, account: Account) -> Command:
    """Change a user; groups are added to existing ones, and the home directory is moved."""

    def words() -> Words:
        if account.home is not None:
            yield from ("--home", account.home, "--move-home")
        if account.groups:
            yield "--append"
        yield from account.words()

    return Command(("usermod", "--root", root, *words(), account.name), f'changing user "{account.name}"')


def userdel(root: str, name: str) -> Command:
    """Delete a user and its home directory."""
    return Command(("userdel", "--remove", "--root", root, name), f'deleting user "{name}"')


def groupadd(
    root: str, name: str, *, gid: int | None = None, password: Secret | None = None, system: bool = False
) -> Command:
    words = (*_group_words(gid, password), *(("--system",) if system else ()))
    return Command(("groupadd", "--root", root, *words, name), f'creating group "{name}"')


def groupmod(root: str, name: str, *, gid: int | None = None, password: Secret | None = None) -> Command:
    return Command(
        ("groupmod", "--root", root, *_group_words(gid, password), name), f'changing group "{name}"'
    )


def groupdel(root: str, name: str) -> Command:
    return Command(("groupdel", "--root", root, name), f'deleting group "{name}"')


def _group_words(gid: int | None, password: Secret | None) -> Words:
    if gid is not None:
        yield from ("--gid", str(gid))
    if password is not None:
        yield from ("--password", password)
