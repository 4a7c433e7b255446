"""The end of the stage: security labels where the target has SELinux, then everything onto the disks."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host
from ignition.host.root import Root
from ignition.host.selinux import file_contexts, is_unlabelled
from ignition.host.users import Accounts, read_accounts
from ignition.schemas.config import Config
from ignition.schemas.storage import Directory, File, Link
from ignition.stages import Plan
from ignition.stages.files.systemd.enablement import PRESETS
from ignition.stages.files.systemd.lookup import UNITS
from ignition.stages.files.tree.append_journal import JOURNAL
from ignition.tools.setfiles import setfiles

if TYPE_CHECKING:
    from ignition.preview.effects import Effect

__all__ = ["Relabel", "SetLabels", "Sync", "WriteBack", "topmost"]

ACCOUNT_FILES: Final = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
"""What useradd and its family rewrite in `/etc`, with backups whose names begin so."""


OWN: Final = (
    "/etc/crypttab",
    JOURNAL,
    PRESETS,
    UNITS,
    distro.CEX_KEY_REPOSITORY,
    distro.LUKS_KEY_DIRECTORY,
    *distro.MDADM_CONFS,
)
"""What the engine writes of its own accord."""


@dataclass(frozen=True)
class SetLabels:
    """Label what this stage made or replaced, as the target's policy says.

    Attributes:
        paths: what it touched.
        written: what it may have made in an earlier run, which came to no labels.
    """

    contexts: str
    paths: tuple[str, ...]
    written: tuple[str, ...] = ()
    path: ConfigPath = ()

    def describe(self) -> str:
        """How many paths; each stands for what is below it too."""
        return f"setting the security labels of {len(self.paths)} paths"

    def perform(self, host: Host) -> None:
        """One process for all."""
        root = host.root
        with root.steady():
            left = {path for path in map(root.resolve, self.written) if is_unlabelled(root, path)}
            paths = [_made_with(root, path) or path for path in self.paths]
            paths += filter(None, (_made_with(root, path) for path in left))
        host.run(setfiles(root.path, root.outside(self.contexts), map(root.outside, topmost(paths))))


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
        root = host.root
        touched = (*root.touched, *_account_files(config, root), *_homes(config, root))
        with root.steady():
            there = [root.resolve(path) for path in touched if root.exists(path)]
        paths = topmost(there)
        labelled = frozenset(paths)
        earlier = tuple(path for path in _written(config) if not _below(labelled, path))
        return SetLabels(contexts, paths, earlier)

    def plan(self, config: Config, facts: SetLabels | None) -> Plan:
        """Label them, if anything has to be labelled."""
        del config
        if facts is None or not facts.paths:
            return Plan()
        return Plan((facts,))

    def effects(self, config: Config, facts: SetLabels | None, host: Host) -> Iterator[Effect]:
        """Labels as a whole: what is labelled is known when it is written."""
        del config, host
        from ignition.preview.effects import Does, Effect

        if facts is not None:
            yield Effect((), Does.CHANGE, "the security labels of all that is written")


def topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """`paths` without those that lie below another one, sorted."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda each: each.split("/")):
        if not (kept and f"{path}/".startswith(f"{kept[-1].rstrip('/')}/")):
            kept.append(path)
    return tuple(kept)


def _below(tops: frozenset[str], path: str) -> bool:
    """Whether a path is one of these or lies below one."""
    while path not in tops and path != "/":
        path = posixpath.dirname(path)
    return path in tops


def _made_with(root: Root, path: str) -> str | None:
    """The topmost directory above `path` without a label, or itself; `None` where nothing further up has one.

    An earlier run of this stage made it and came to no labels; this run has found it, and did not touch it.
    """
    while True:
        above = posixpath.dirname(path)
        if above == path or root.lstat(above).st_dev != root.lstat(path).st_dev:
            return None
        if not is_unlabelled(root, above):
            return path
        path = above


def _written(config: Config) -> Iterator[str]:
    """What steps of this stage leave alone when they find it as it should be."""
    yield from OWN
    yield distro.record_directory()
    storage = config.storage
    nodes: tuple[Directory | File | Link, ...] = (*storage.directories, *storage.files, *storage.links)
    yield from (node.path for node in nodes)


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
            try:
                yield root.follow(account.home)
            except NotADirectoryError:  # the home of some system users is /dev/null
                continue


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
        homes = _homes(config, host.root)  # useradd tells nobody what it writes there
        return tuple(sorted(path for path in {"/", *touched, *mounts, *homes} if host.root.exists(path)))

    def plan(self, config: Config, facts: tuple[str, ...]) -> Plan:
        """Write them all back."""
        del config
        return Plan((WriteBack(facts),))

    def effects(self, config: Config, facts: tuple[str, ...], host: Host) -> Iterable[Effect]:
        """None."""
        del config, facts, host
        return ()
