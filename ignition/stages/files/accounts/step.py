# SPDX-License-Identifier: Apache-2.0
"""Groups and users, in config order, created, changed and deleted by the shadow programs.

A new user takes one `useradd` that sets everything. An existing user is changed only where it differs, so
a second run starts no program. Supplementary groups are added to the groups of an existing user; the
reference replaces them (docs/compatibility.md). Source: docs/reference/stages.md, "files stage".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from ignition import distro, log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.command import Command, Secret
from ignition.host.users import Accounts, Group, User, read_accounts
from ignition.schemas.config import Config
from ignition.schemas.passwd import PasswdGroup, PasswdUser
from ignition.stages import Action, Plan, Refusal
from ignition.stages.actions import RunCommand
from ignition.stages.files.accounts.rollback import AllOrNothing, parent_of_homes
from ignition.tools import passwd as tools
from ignition.tools.passwd import Account

__all__ = ["AccountFacts", "ChownHome", "Passwd", "WriteKeys"]

T = TypeVar("T")

LOCKED: Final = Secret("*")
"""Password hash of a user that cannot log in with a password."""

KEYS_WRITTEN: Final = "225067b87bbd4a0cb6ab151f82fa364b"
"""MESSAGE_ID of the journal entry (docs/reference/stages.md, "Journal entries")."""


@dataclass(frozen=True)
class AccountFacts:
    """Facts about the accounts of the target root.

    Attributes:
        root: the target root's path, for the programs.
        accounts: the users and groups that exist.
        directories: directories that the mount stage created.
        fragment: whether SSH keys go to `authorized_keys.d/ignition`.
        homes: the parent directory of new homes for users without `homeDir`.
    """

    root: str
    accounts: Accounts
    directories: tuple[str, ...] = ()
    fragment: bool = True
    homes: str = "/home"


@dataclass(frozen=True)
class ChownHome:
    """Give a user the directories that the mount stage created in the user's home."""

    path: ConfigPath
    user: str
    directories: tuple[str, ...]

    def describe(self) -> str:
        return f'changing the owner of mounted directories in the home of user "{self.user}"'

    def perform(self, host: Host) -> None:
        """Set owner and mode 0700 for the home and directories below it."""
        user = _existing(host, self.user)
        home = host.root.resolve(user.home)
        for directory in self.directories:
            if f"{directory}/".startswith(f"{home}/"):
                host.root.chown(directory, (user.uid, user.gid))
                host.root.chmod(directory, 0o700)
                host.root.touch(directory)


@dataclass(frozen=True)
class WriteKeys:
    """Write a user's SSH keys with the rights of that user."""

    path: ConfigPath
    user: str
    keys: tuple[str, ...]
    fragment: bool

    def describe(self) -> str:
        return f'adding ssh keys to user "{self.user}"'

    def perform(self, host: Host) -> None:
        """Replace the file; keys that are not in the config are removed from it."""
        user = _existing(host, self.user)
        name = "authorized_keys.d/ignition" if self.fragment else "authorized_keys"
        place = host.root.resolve(f"{user.home}/.ssh/{name}")
        with host.root.acting_as(user.uid, user.gid) as root:
            root.make_directories(place.rpartition("/")[0], 0o700)
            text = "".join(f"{key}\n" for key in self.keys)
            root.write(place, text.encode(), mode=0o600, owner=(user.uid, user.gid))
        log.journal(
            f"wrote ssh authorized keys file for user: {user.name}",
            {
                "MESSAGE_ID": KEYS_WRITTEN,
                "IGNITION_USER_NAME": user.name,
                "IGNITION_PATH": f"{host.root.path.rstrip('/')}{place}",
            },
        )


class Passwd:
    """The step for groups, then users with their homes and SSH keys."""

    name = "passwd"

    def wanted(self, config: Config) -> bool:
        return bool(config.passwd.users or config.passwd.groups)

    def observe(self, config: Config, host: View, state: State) -> AccountFacts:
        del config
        return AccountFacts(
            root=host.root.path,
            accounts=read_accounts(host.root),
            directories=state.directories,
            fragment=distro.write_authorized_keys_fragment(),
            homes=parent_of_homes(host.root),
        )

    def plan(self, config: Config, facts: AccountFacts) -> Plan:
        """Plan only the differences."""
        groups, users = _groups(config), _users(config)
        refusals = [refusal for path, group in groups for refusal in _bad(path, group.name, "gid", group.gid)]
        refusals += [refusal for path, user in users for refusal in _bad(path, user.name, "uid", user.uid)]
        steps = _steps(config, facts)
        return Plan(
            actions=_all_or_nothing(
                tuple(step for step in steps if not isinstance(step, str)), config, facts
            ),
            refusals=tuple(refusals),
            keeps=tuple(step for step in steps if isinstance(step, str)),
        )


def _groups(config: Config) -> list[tuple[ConfigPath, PasswdGroup]]:
    return [(("passwd", "groups", number), group) for number, group in enumerate(config.passwd.groups)]


def _users(config: Config) -> list[tuple[ConfigPath, PasswdUser]]:
    return [(("passwd", "users", number), user) for number, user in enumerate(config.passwd.users)]


def _steps(config: Config, facts: AccountFacts) -> list[Action | str]:
    """Return the actions, groups first; a string describes an account that needs no change."""
    steps = [step for path, group in _groups(config) for step in _group(path, group, facts)]
    return steps + [step for path, user in _users(config) for step in _user(path, user, facts)]


def _all_or_nothing(actions: tuple[Action, ...], config: Config, facts: AccountFacts) -> tuple[Action, ...]:
    """Return the actions; if programs are among them, wrapped so that all of them happen or none."""
    if not any(isinstance(action, RunCommand) for action in actions):
        return actions
    new = (user for user in config.passwd.users if user.name not in facts.accounts.users)
    homes = {user.name: user.home_dir or f"{facts.homes}/{user.name}" for user in new}
    return (AllOrNothing(actions, homes),)


def _bad(path: ConfigPath, name: str, field: str, number: int | None) -> Iterator[Refusal]:
    """Refuse names that the programs would misread, and ids out of range."""
    if not name or name.startswith("-") or any(character in name for character in ":,\n\0/"):
        yield Refusal((*path, "name"), f"{name!r} is not a valid account name")
    if number is not None and not 0 <= number < 2**32 - 1:
        yield Refusal((*path, field), f"{number} is not a valid id", "use an id between 0 and 4294967294")


def _group(path: ConfigPath, group: PasswdGroup, facts: AccountFacts) -> Iterator[Action | str]:
    """Yield the actions for one group; a string describes a group that needs no change."""
    found = facts.accounts.groups.get(group.name)
    password = Secret(group.password_hash) if group.password_hash else None
    if group.should_exist is False:
        if found is None:
            yield f'group "{group.name}" is absent, as configured'
        else:
            yield RunCommand(path, tools.groupdel(facts.root, group.name))
    elif found is None:
        command = tools.groupadd(
            facts.root, group.name, gid=group.gid, password=password, system=bool(group.system)
        )
        yield RunCommand(path, command)
    else:
        yield from _changed_group(path, group, found, facts)


def _changed_group(
    path: ConfigPath, group: PasswdGroup, found: Group, facts: AccountFacts
) -> Iterator[Action | str]:
    gid = None if group.gid == found.gid else group.gid
    password = Secret(group.password_hash) if group.password_hash else None
    password = None if password == found.password else password
    if gid is None and password is None:
        yield f'group "{group.name}" is unchanged'
    else:
        yield RunCommand(path, tools.groupmod(facts.root, group.name, gid=gid, password=password))


def _user(path: ConfigPath, user: PasswdUser, facts: AccountFacts) -> Iterator[Action | str]:
    """Yield the actions for one user; a string describes a user that needs no change."""
    found = facts.accounts.users.get(user.name)
    if user.should_exist is False:
        if found is None:
            yield f'user "{user.name}" is absent, as configured'
        else:
            yield RunCommand(path, tools.userdel(facts.root, user.name))
        return
    if found is None:
        yield RunCommand(path, _new_user(user, facts.root))
    else:
        yield _changed_user(path, user, found, facts)
    if facts.directories and not user.no_create_home:
        yield ChownHome(path, user.name, facts.directories)
    if user.ssh_authorized_keys:
        yield WriteKeys((*path, "sshAuthorizedKeys"), user.name, user.ssh_authorized_keys, facts.fragment)


def _new_user(user: PasswdUser, root: str) -> Command:
    account = Account(
        name=user.name,
        password=Secret(user.password_hash) if user.password_hash else LOCKED,
        uid=user.uid,
        gecos=user.gecos or None,
        group=user.primary_group or None,
        groups=user.groups,
        shell=user.shell or None,
        home=user.home_dir or None,
    )
    return tools.useradd(
        root,
        account,
        create_home=not user.no_create_home,
        user_group=not user.no_user_group,
        system=bool(user.system),
        log_init=not user.no_log_init,
    )


def _changed_user(path: ConfigPath, user: PasswdUser, found: User, facts: AccountFacts) -> Action | str:
    """Return the change of an existing user, or a string if nothing differs."""
    account = Account(
        name=user.name,
        password=_password_change(user, found),
        uid=_change(user.uid, found.uid),
        gecos=_change(user.gecos or None, found.gecos),
        group=_primary_group_change(user.primary_group, found, facts.accounts),
        groups=_missing_groups(user, found, facts.accounts),
        shell=_change(user.shell or None, found.shell),
        home=_change(user.home_dir or None, found.home),
    )
    if account == Account(user.name):
        return f'user "{user.name}" is unchanged'
    return RunCommand(path, tools.usermod(facts.root, account))


def _change(wanted: T | None, current: T) -> T | None:
    return None if wanted == current else wanted


def _password_change(user: PasswdUser, found: User) -> Secret | None:
    if user.password_hash is None:
        return None
    return _change(Secret(user.password_hash) if user.password_hash else LOCKED, found.password)


def _primary_group_change(wanted: str | None, found: User, accounts: Accounts) -> str | None:
    if not wanted:
        return None
    group = accounts.groups.get(wanted)
    same = str(found.gid) == wanted or (group is not None and group.gid == found.gid)
    return None if same else wanted


def _missing_groups(user: PasswdUser, found: User, accounts: Accounts) -> tuple[str, ...]:
    """Return all wanted groups if the user lacks one of them, else none."""
    has = accounts.supplementary(found.name)
    return () if has.issuperset(user.groups) else user.groups


def _existing(host: Host, name: str) -> User:
    """Return a user that exists now, with a home."""
    user = read_accounts(host.root).users.get(name)
    if user is None:
        raise IgnitionError(f'user "{name}" not found in /etc/passwd')
    if not user.home:
        raise IgnitionError(f'user "{name}" has no home directory', hint="set homeDir for this user")
    return user
