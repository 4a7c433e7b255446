# SPDX-License-Identifier: Apache-2.0
"""Roll back account changes that did not finish.

useradd and its family change six files and a home, one after the other. After a failure or a power cut in
between, the next run would find a user without home, group or password and mistake it for a user of the
image, and find lock files with the id of an unrelated process. So the account files are copied into a backup
before the first program runs, and the backup is removed after the last one. A failure restores them at once;
after a killed run, the next run restores them and starts again.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, text_of
from ignition.host import Host, View
from ignition.host.files.root_view import RootView
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.stages import Action, Plan, act

__all__ = ["BACKUP", "AllOrNothing", "RestoreAccounts", "Rollback", "parent_of_homes"]

PATH: ConfigPath = ("passwd",)
BACKUP: Final = "/etc/.ignition-accounts.json"
"""The backup of the account files; readable by root only, because it holds password hashes."""

HINT: Final = f"remove {BACKUP} if the users and groups of this system are correct"

DEFAULTS: Final = "/etc/default/useradd"
FILES: Final = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
LEFTOVER: Final = re.compile(rf"({'|'.join(FILES)})(\.lock|\.[0-9]+|\+)")
"""Lock files and temporary files of programs that were killed."""


@dataclass(frozen=True)
class AllOrNothing:
    """Perform actions that change users and groups, all of them or none.

    Attributes:
        homes: new user → path of the home that may be created.
    """

    actions: tuple[Action, ...]
    homes: Mapping[str, str]
    path: ConfigPath = PATH

    def describe(self) -> str:
        return "changing users and groups"

    def perform(self, host: Host) -> None:
        """Perform them in order. The backup is not recorded, because it is removed at the end."""
        root = Root(host.root.path)
        _back_up(root, self.homes)
        try:
            for action in self.actions:
                act(action, host)
        except Exception:
            try:
                act(_read_backup(root), host)
            except (OSError, IgnitionError) as error:
                log.notice(f"cannot restore users and groups now, the next run tries again: {text_of(error)}")
            raise
        root.remove(BACKUP)


def _back_up(root: Root, homes: Mapping[str, str]) -> None:
    """Write the backup of the account files to disk."""
    backup = {
        "files": {name: _copy_of(root, f"/etc/{name}") for name in FILES},
        "users": list(homes),
        "homes": [home for home in homes.values() if not root.exists(home)],
    }
    with root.replace(BACKUP, mode=0o600) as file:
        file.write(json.dumps(backup).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _copy_of(root: RootView, path: str) -> dict[str, Any] | None:
    status = root.find(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    owner = (status.st_uid, status.st_gid)
    return {"mode": stat.S_IMODE(status.st_mode), "owner": owner, "text": root.read_text(path)}


def parent_of_homes(root: RootView) -> str:
    """Return the directory in which useradd creates homes (HOME in /etc/default/useradd, useradd(8))."""
    text = root.read_text(DEFAULTS) if root.is_file(DEFAULTS) else ""
    found = [line.removeprefix("HOME=").strip() for line in text.split("\n") if line.startswith("HOME=")]
    return found[-1] if found else "/home"


@dataclass(frozen=True)
class RestoreAccounts:
    """Restore the account files from the backup, and remove homes that were created since.

    Attributes:
        files: file name → mode, owner and text; None if the file did not exist.
        users: the users that were to be created.
        homes: those of their homes that did not exist.
    """

    files: Mapping[str, Mapping[str, Any] | None] = field(repr=False)
    users: tuple[str, ...]
    homes: tuple[str, ...]
    path: ConfigPath = PATH

    secret: ClassVar = True

    def describe(self) -> str:
        return "restoring users and groups after changes that did not finish"

    def perform(self, host: Host) -> None:
        """Restore; the backup is removed last."""
        root = host.root
        for name in root.list("/etc"):
            if LEFTOVER.fullmatch(name):
                root.remove(f"/etc/{name}")
        for name, copy in self.files.items():
            if copy:
                user, group = copy["owner"]
                text = copy["text"].encode("utf-8", "surrogateescape")
                root.write(f"/etc/{name}", text, mode=copy["mode"], owner=(user, group))
            elif (there := root.find(f"/etc/{name}")) and stat.S_ISREG(there.st_mode):
                root.remove(f"/etc/{name}")
        for home in self.homes:
            root.remove(home)
        root.remove(BACKUP)


def _read_backup(root: RootView) -> RestoreAccounts:
    try:
        backup = json.loads(root.read(BACKUP))
        return RestoreAccounts(dict(backup["files"]), tuple(backup["users"]), tuple(backup["homes"]))
    except (ValueError, TypeError, KeyError) as error:
        raise IgnitionError(f"cannot read {BACKUP}: not a backup of account files", hint=HINT) from error


def _names(text: str) -> set[str]:
    return {line.partition(":")[0] for line in text.split("\n")}


class Rollback:
    """The first step of the files stage: finish the rollback of an earlier run."""

    name = "unfinished"

    def wanted(self, config: Config) -> bool:
        return bool(config.passwd.users or config.passwd.groups)

    def observe(self, config: Config, host: View, state: State) -> RestoreAccounts | None:
        """Read the backup of an earlier run; None if there is no backup.

        Raises:
            IgnitionError: the backup is malformed, or the system was used since.
        """
        del config, state
        if not host.root.is_file(BACKUP):
            return None
        found = _read_backup(host.root)
        before = (found.files.get("passwd") or {}).get("text")
        if before is not None and host.root.is_file("/etc/passwd"):
            later = _names(host.root.read_text("/etc/passwd")) - _names(before)
            if later := later.difference(found.users):
                error = f'cannot restore {BACKUP}: user "{min(later)}" was created later and would be lost'
                raise IgnitionError(error, hint=HINT)
        return found

    def plan(self, config: Config, facts: RestoreAccounts | None) -> Plan:
        """Restore the accounts if there is a backup."""
        del config
        return Plan((facts,) if facts else ())
