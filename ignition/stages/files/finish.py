"""The end of the stage: security labels where the target has SELinux, then everything onto the disks."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition.host import Host
from ignition.host.root import Root
from ignition.host.selinux import file_contexts
from ignition.host.users import Accounts, read_accounts
from ignition.report import ConfigPath
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.state import State
from ignition.tools.setfiles import setfiles

if TYPE_CHECKING:
    from ignition.stages.effects import Effect

__all__ = ["Relabel", "SetLabels", "Sync", "WriteBack", "topmost"]

ACCOUNT_FILES: Final = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
"""What useradd and its family rewrite in `/etc`, with backups whose names begin so."""


@dataclass(frozen=True)
class SetLabels:
    """Label what this stage made or replaced, as the target's policy says."""

    contexts: str
    paths: tuple[str, ...]
    path: ConfigPath = ()

    def describe(self) -> str:
        """How many paths; each stands for what is below it too."""
        return f"setting the security labels of {len(self.paths)} paths"

    def perform(self, host: Host) -> None:
        """One process for all."""
        outside = host.root.outside
        host.run(setfiles(host.root.path, outside(self.contexts), map(outside, self.paths)))


class Relabel:
    """Only where the target has SELinux; source: engine.md 9.5, point 10."""

    name = "relabel"

    def wanted(self, config: Config) -> bool:
        """Whether it is needed is seen on the target."""
        del config
        return True

    def observe(self, config: Config, host: Host, state: State) -> SetLabels | None:
        """The policy, and all that was touched and still exists."""
        del state
        contexts = file_contexts(host.root)
        if contexts is None:
            return None
        touched = (*host.root.touched, *_account_files(config, host.root), *_homes(config, host.root))
        with host.root.steady():
            there = [host.root.resolve(path) for path in touched if host.root.exists(path)]
        return SetLabels(contexts, topmost(there))

    def plan(self, config: Config, facts: SetLabels | None) -> Plan:
        """Label them, if anything has to be labelled."""
        del config
        if facts is None or not facts.paths:
            return Plan()
        return Plan((facts,))

    def effects(self, config: Config, facts: SetLabels | None, host: Host) -> Iterator[Effect]:
        """Labels as a whole: what is labelled is known when it is written."""
        del config, host
        from ignition.stages.effects import Does, Effect

        if facts is not None:
            yield Effect((), Does.CHANGE, "the security labels of all that is written")


def topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """`paths` without those that lie below another one, sorted."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda each: each.split("/")):
        if not (kept and f"{path}/".startswith(f"{kept[-1].rstrip('/')}/")):
            kept.append(path)
    return tuple(kept)


def _account_files(config: Config, root: Root) -> Iterator[str]:
    if config.passwd.users or config.passwd.groups:
        names = (*ACCOUNT_FILES, ".pwd.lock")
        yield from (f"/etc/{name}" for name in root.list("/etc") if name.startswith(names))


def _homes(config: Config, root: Root) -> Iterator[str]:
    kept = [
        user for user in config.passwd.users if user.should_exist is not False and not user.no_create_home
    ]
    accounts = read_accounts(root) if kept else Accounts()
    for user in kept:
        account = accounts.users.get(user.name)
        if account and account.home:
            yield root.follow(account.home)


@dataclass(frozen=True)
class WriteBack:
    """Write the target's file systems to their disks."""

    directories: tuple[str, ...]
    path: ConfigPath = ()

    def describe(self) -> str:
        """What it is for."""
        return "writing everything to disk"

    def perform(self, host: Host) -> None:
        """Each file system once."""
        host.root.sync(self.directories)


class Sync:
    """Nobody is told that the stage has passed before what it wrote is on the disks."""

    name = "sync"

    def wanted(self, config: Config) -> bool:
        """Always: the result file at least was written."""
        del config
        return True

    def observe(self, config: Config, host: Host, state: State) -> tuple[str, ...]:
        """One directory on each file system that may have been written to."""
        del state
        touched = {posixpath.dirname(path) for path in host.root.touched}
        mounts = {each.path for each in config.storage.filesystems if each.path}
        return tuple(sorted(path for path in {"/", *touched, *mounts} if host.root.exists(path)))

    def plan(self, config: Config, facts: tuple[str, ...]) -> Plan:
        """Write them all back."""
        del config
        return Plan((WriteBack(facts),))

    def effects(self, config: Config, facts: tuple[str, ...], host: Host) -> Iterable[Effect]:
        """None."""
        del config, facts, host
        return ()
