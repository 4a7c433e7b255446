"""Groups and users, in config order: made, changed or deleted by the programs that know how.

A new user takes one `useradd` that sets everything; an existing one is changed only where it differs, so
a second run starts no program at all. Supplementary groups are added to those that an existing user has
(the reference replaces them, engine.md 14, point 8). Source: engine.md 9.5, points 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from ignition import distro, log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.command import Command, Secret
from ignition.host.users import Accounts, Group, User, read_accounts
from ignition.schemas.config import Config
from ignition.schemas.passwd import PasswdGroup, PasswdUser
from ignition.stages import Action, Plan, Refusal
from ignition.stages.actions import RunCommand
from ignition.stages.files.accounts.rollback import AllOrNothing, place_of_homes
from ignition.tools import passwd as tools
from ignition.tools.passwd import Account

if TYPE_CHECKING:
    from ignition.preview.effects import Effect
    from ignition.preview.host import PreviewHost

__all__ = ["Facts", "OwnHome", "Passwd", "WriteKeys"]

T = TypeVar("T")

LOCKED: Final = Secret("*")
"""The hash of a user that cannot log in with a password."""

KEYS_WRITTEN: Final = "225067b87bbd4a0cb6ab151f82fa364b"
"""MESSAGE_ID of the journal entry; source: engine.md 10.3."""


@dataclass(frozen=True)
class Facts:
    """What the decision rests on.

    Attributes:
        root: the target root, for the programs.
        accounts: the users and groups that exist.
        directories: those that the mount stage had to make.
        fragment: whether SSH keys go to a file of their own.
        homes: where homes are made, unless the config says otherwise.
    """

    root: str
    accounts: Accounts
    directories: tuple[str, ...] = ()
    fragment: bool = True
    homes: str = "/home"


@dataclass(frozen=True)
class OwnHome:
    """Give a user what the mount stage made in its home, as `useradd` cannot know of it."""

    path: ConfigPath
    user: str
    directories: tuple[str, ...]

    def describe(self) -> str:
        """Whose home."""
        return f'handing over the mounted parts of the home of "{self.user}"'

    def perform(self, host: Host) -> None:
        """Owner, then mode 0700, for the home itself and what lies below it."""
        user = _existing(host, self.user)
        home = host.root.resolve(user.home)
        for directory in self.directories:
            if f"{directory}/".startswith(f"{home}/"):
                host.root.chown(directory, (user.uid, user.gid))
                host.root.chmod(directory, 0o700)
                host.root.touch(directory)


@dataclass(frozen=True)
class WriteKeys:
    """Write a user's SSH keys, with that user's own rights."""

    path: ConfigPath
    user: str
    keys: tuple[str, ...]
    fragment: bool

    def describe(self) -> str:
        """Whose keys."""
        return f'adding ssh keys to user "{self.user}"'

    def perform(self, host: Host) -> None:
        """Replace the file with exactly these keys."""
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
    """Groups first, then users with their homes and keys."""

    name = "passwd"

    def wanted(self, config: Config) -> bool:
        """Whether the config names any user or group."""
        return bool(config.passwd.users or config.passwd.groups)

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """The accounts of the target root."""
        del config
        return Facts(
            root=host.root.path,
            accounts=read_accounts(host.root),
            directories=state.directories,
            fragment=distro.write_authorized_keys_fragment(),
            homes=place_of_homes(host.root),
        )

    def plan(self, config: Config, facts: Facts) -> Plan:
        """What has to change, and nothing else."""
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

    def effects(self, config: Config, facts: Facts, host: Host) -> Iterator[Effect]:
        """What happens to each group and user."""
        del host
        from ignition.preview import files

        refused = {refusal.path[:3] for refusal in self.plan(config, facts).refusals}
        changed = {step.path[:3] for step in _steps(config, facts) if not isinstance(step, str)}
        for effect in files.accounts(config, facts.accounts, changed):
            if effect.path not in refused:
                yield effect

    def foresee(self, config: Config, facts: Facts, host: PreviewHost) -> None:
        """The accounts that there will be."""
        from ignition.preview import files

        files.make_accounts(config, facts.accounts, host.root)


def _groups(config: Config) -> list[tuple[ConfigPath, PasswdGroup]]:
    return [(("passwd", "groups", number), group) for number, group in enumerate(config.passwd.groups)]


def _users(config: Config) -> list[tuple[ConfigPath, PasswdUser]]:
    return [(("passwd", "users", number), user) for number, user in enumerate(config.passwd.users)]


def _steps(config: Config, facts: Facts) -> list[Action | str]:
    """What is done, groups first; a text says what is kept as it is."""
    steps = [step for path, group in _groups(config) for step in _group(path, group, facts)]
    return steps + [step for path, user in _users(config) for step in _user(path, user, facts)]


def _all_or_nothing(actions: tuple[Action, ...], config: Config, facts: Facts) -> tuple[Action, ...]:
    """The actions; if programs are among them, they come to their end or leave nothing."""
    if not any(isinstance(action, RunCommand) for action in actions):
        return actions
    new = (user for user in config.passwd.users if user.name not in facts.accounts.users)
    homes = {user.name: user.home_dir or f"{facts.homes}/{user.name}" for user in new}
    return (AllOrNothing(actions, homes),)


def _bad(path: ConfigPath, name: str, field: str, number: int | None) -> Iterator[Refusal]:
    """Names that the programs would take for something else, and ids that no file can hold."""
    if not name or name.startswith("-") or any(character in name for character in ":,\n\0/"):
        yield Refusal((*path, "name"), f"{name!r} cannot be a name")
    if number is not None and not 0 <= number < 2**32 - 1:
        yield Refusal((*path, field), f"{number} cannot be an id", "ids go from 0 to 4294967294")


def _group(path: ConfigPath, group: PasswdGroup, facts: Facts) -> Iterator[Action | str]:
    """The steps for one group; a text says what is kept as it is."""
    found = facts.accounts.groups.get(group.name)
    password = Secret(group.password_hash) if group.password_hash else None
    if group.should_exist is False:
        if found is None:
            yield f'group "{group.name}" does not exist, as it should'
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
    path: ConfigPath, group: PasswdGroup, found: Group, facts: Facts
) -> Iterator[Action | str]:
    gid = None if group.gid == found.gid else group.gid
    password = Secret(group.password_hash) if group.password_hash else None
    password = None if password == found.password else password
    if gid is None and password is None:
        yield f'group "{group.name}" is already as it should be'
    else:
        yield RunCommand(path, tools.groupmod(facts.root, group.name, gid=gid, password=password))


def _user(path: ConfigPath, user: PasswdUser, facts: Facts) -> Iterator[Action | str]:
    """The steps for one user; a text says what is kept as it is."""
    found = facts.accounts.users.get(user.name)
    if user.should_exist is False:
        if found is None:
            yield f'user "{user.name}" does not exist, as it should'
        else:
            yield RunCommand(path, tools.userdel(facts.root, user.name))
        return
    if found is None:
        yield RunCommand(path, _new_user(user, facts.root))
    else:
        yield _changed_user(path, user, found, facts)
    if facts.directories and not user.no_create_home:
        yield OwnHome(path, user.name, facts.directories)
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


def _changed_user(path: ConfigPath, user: PasswdUser, found: User, facts: Facts) -> Action | str:
    """The change of an existing user, or a text if there is none."""
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
        return f'user "{user.name}" is already as it should be'
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
    """The wanted groups, all of them, if one is missing."""
    has = accounts.supplementary(found.name)
    return () if has.issuperset(user.groups) else user.groups


def _existing(host: Host, name: str) -> User:
    """A user that is there by now."""
    user = read_accounts(host.root).users.get(name)
    if user is None:
        raise IgnitionError(f'there is no user "{name}" in /etc/passwd')
    if not user.home:
        raise IgnitionError(f'user "{name}" has no home directory', hint="set homeDir")
    return user
