"""Changes of users and groups that an earlier run began and did not bring to an end.

useradd and its family change six files and a home, one after the other. Where one of them fails in between,
or is ended by a power cut, the next run would find a user without home, group or password and take it for one
of the image's; and locks that are held, it seems, by whatever process has the same id now. So before the
first of them runs, the target keeps the files of its accounts as they are; after the last one, that is
removed. After a failure everything is put back at once. If a run was ended, the next one does that, and all
begins anew.
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
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.stages import Action, Plan, act

__all__ = ["KEPT", "AllOrNothing", "PutBack", "Unfinished", "place_of_homes"]

PATH: ConfigPath = ("passwd",)
KEPT: Final = "/etc/.ignition-accounts.json"
"""For root alone: there are password hashes in it."""

REMOVE: Final = "remove it if the users and groups of this system are as they should be"

DEFAULTS: Final = "/etc/default/useradd"
FILES: Final = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
LEFT: Final = re.compile(rf"({'|'.join(FILES)})(\.lock|\.[0-9]+|\+)")
"""Locks and new files of programs that were ended."""


@dataclass(frozen=True)
class AllOrNothing:
    """Perform actions that change users and groups, all of them or none.

    Attributes:
        homes: new user → where its home may be made.
    """

    actions: tuple[Action, ...]
    homes: Mapping[str, str]
    path: ConfigPath = PATH

    def describe(self) -> str:
        """The step as a whole."""
        return "changing users and groups"

    def perform(self, host: Host) -> None:
        """In their order. What is kept meanwhile is gone at the end, so the record need not tell of it."""
        root = Root(host.root.path)
        _keep(root, self.homes)
        try:
            for action in self.actions:
                act(action, host)
        except Exception:
            try:
                act(_unfinished(root), host)
            except (OSError, IgnitionError) as error:
                log.notice(f"users and groups will be put back by the next run: {error}")
            raise
        root.remove(KEPT)


def _keep(root: Root, homes: Mapping[str, str]) -> None:
    """Keep the files of accounts as they are; on the disk before the first change."""
    kept = {
        "files": {name: _kept(root, f"/etc/{name}") for name in FILES},
        "users": list(homes),
        "homes": [home for home in homes.values() if not root.exists(home)],
    }
    with root.replace(KEPT, mode=0o600) as file:
        file.write(json.dumps(kept).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _kept(root: Root, path: str) -> dict[str, Any] | None:
    status = root.find(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    owner = (status.st_uid, status.st_gid)
    return {"mode": stat.S_IMODE(status.st_mode), "owner": owner, "text": root.read_text(path)}


def place_of_homes(root: Root) -> str:
    """The directory in which useradd makes homes. Source: useradd(8)."""
    text = root.read_text(DEFAULTS) if root.is_file(DEFAULTS) else ""
    found = [line.removeprefix("HOME=").strip() for line in text.split("\n") if line.startswith("HOME=")]
    return found[-1] if found else "/home"


@dataclass(frozen=True)
class PutBack:
    """Put the accounts back as they were found, and take away the homes that were made.

    Attributes:
        files: name → what it was; `None` if it was not there.
        users: those that were to be made.
        homes: those of them that were not there.
    """

    files: Mapping[str, Mapping[str, Any] | None] = field(repr=False)
    users: tuple[str, ...]
    homes: tuple[str, ...]
    path: ConfigPath = PATH

    secret: ClassVar = True

    def describe(self) -> str:
        """Why."""
        return "putting users and groups back, whose changes were not finished"

    def perform(self, host: Host) -> None:
        """What tells of it goes last."""
        root = host.root
        for name in root.list("/etc"):
            if LEFT.fullmatch(name):
                root.remove(f"/etc/{name}")
        for name, kept in self.files.items():
            if kept:
                user, group = kept["owner"]
                text = kept["text"].encode("utf-8", "surrogateescape")
                root.write(f"/etc/{name}", text, mode=kept["mode"], owner=(user, group))
            elif (there := root.find(f"/etc/{name}")) and stat.S_ISREG(there.st_mode):
                root.remove(f"/etc/{name}")
        for home in self.homes:
            root.remove(home)
        root.remove(KEPT)


def _unfinished(root: Root) -> PutBack:
    try:
        kept = json.loads(root.read(KEPT))
        return PutBack(dict(kept["files"]), tuple(kept["users"]), tuple(kept["homes"]))
    except (ValueError, TypeError, KeyError) as error:
        raise IgnitionError(f"{KEPT} cannot be read", hint=REMOVE) from error


def _names(text: str) -> set[str]:
    return {line.partition(":")[0] for line in text.split("\n")}


class Unfinished:
    """Before anything else is done about users and groups."""

    name = "unfinished"

    def wanted(self, config: Config) -> bool:
        """Whether the config has any."""
        return bool(config.passwd.users or config.passwd.groups)

    def observe(self, config: Config, host: Host, state: State) -> PutBack | None:
        """What an earlier run has kept; `None` if there is nothing.

        Raises:
            IgnitionError: it cannot be read, or the system has been in use since.
        """
        del config, state
        if not host.root.is_file(KEPT):
            return None
        found = _unfinished(host.root)
        before = (found.files.get("passwd") or {}).get("text")
        if before is not None and host.root.is_file("/etc/passwd"):
            later = _names(host.root.read_text("/etc/passwd")) - _names(before)
            if later := later.difference(found.users):
                error = f'user "{min(later)}" was made after {KEPT}, which would undo that'
                raise IgnitionError(error, hint=REMOVE)
        return found

    def plan(self, config: Config, facts: PutBack | None) -> Plan:
        """Put everything back, if anything was begun."""
        del config
        return Plan((facts,) if facts else ())
