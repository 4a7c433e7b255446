# SPDX-License-Identifier: Apache-2.0
"""The step that sets SELinux labels on written files, where the target root has a policy."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host, View
from ignition.host.files.root_view import RootView
from ignition.host.selinux import file_contexts, is_unlabelled
from ignition.host.users import Accounts, read_accounts
from ignition.schemas.config import Config
from ignition.schemas.storage import Directory, File, Link
from ignition.stages import Plan
from ignition.stages.files.systemd.lookup import UNITS
from ignition.stages.files.systemd.presets import PRESETS
from ignition.stages.files.tree.append_journal import JOURNAL
from ignition.tools.setfiles import setfiles

__all__ = ["Relabel", "SetLabels", "homes_of", "topmost"]

ACCOUNT_FILES: Final = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
"""Prefixes of the files in `/etc` that useradd and its family rewrite, backups included."""

OWN: Final = (
    "/etc/crypttab",
    JOURNAL,
    PRESETS,
    UNITS,
    distro.CEX_KEY_REPOSITORY,
    distro.LUKS_KEY_DIRECTORY,
    *distro.MDADM_CONFS,
)
"""Files that the engine writes and no config entry names."""


@dataclass(frozen=True)
class SetLabels:
    """Set the labels of the target root's policy on files that this stage wrote.

    Attributes:
        contexts: path of the policy's file contexts in the target root.
        paths: paths that this run wrote; each includes everything below it.
        written: paths that an interrupted earlier run may have written without labels.
    """

    contexts: str
    paths: tuple[str, ...]
    written: tuple[str, ...] = ()
    path: ConfigPath = ()

    def describe(self) -> str:
        return f"setting the SELinux labels of {len(self.paths)} paths"

    def perform(self, host: Host) -> None:
        """Run setfiles once for all paths."""
        root = host.root
        with root.cached_directories():
            left = {path for path in map(root.resolve, self.written) if is_unlabelled(root, path)}
            paths = [_made_with(root, path) or path for path in self.paths]
            paths += filter(None, (_made_with(root, path) for path in left))
        host.run(setfiles(root.path, root.host_path(self.contexts), map(root.host_path, topmost(paths))))


class Relabel:
    """The step for SELinux labels (docs/reference/stages.md, "Relabelling")."""

    name = "relabel"

    def wanted(self, config: Config) -> bool:
        """Always: whether there is a policy is known on the target root only."""
        del config
        return True

    def observe(self, config: Config, host: View, state: State) -> SetLabels | None:
        """Find the policy, and the written paths that still exist; None without a policy."""
        del state
        contexts = file_contexts(host.root)
        if contexts is None:
            return None
        root = host.root
        touched = (*root.touched, *_account_files(config, root), *homes_of(config, root))
        with root.cached_directories():
            there = [root.resolve(path) for path in touched if root.exists(path)]
        paths = topmost(there)
        labelled = frozenset(paths)
        earlier = tuple(path for path in _written(config) if not _below(labelled, path))
        return SetLabels(contexts, paths, earlier)

    def plan(self, config: Config, facts: SetLabels | None) -> Plan:
        del config
        if facts is None or not facts.paths:
            return Plan()
        return Plan((facts,))


def topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the sorted paths without those below another one."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda each: each.split("/")):
        if not (kept and f"{path}/".startswith(f"{kept[-1].rstrip('/')}/")):
            kept.append(path)
    return tuple(kept)


def _below(tops: frozenset[str], path: str) -> bool:
    """Whether a path is one of `tops` or below one."""
    while path not in tops and path != "/":
        path = posixpath.dirname(path)
    return path in tops


def _made_with(root: RootView, path: str) -> str | None:
    """Return the topmost unlabelled directory above `path`, or `path`; None where nothing above has a label.

    An interrupted earlier run created it without labels, and this run found it unchanged.
    """
    while True:
        above = posixpath.dirname(path)
        if above == path or root.lstat(above).st_dev != root.lstat(path).st_dev:
            return None
        if not is_unlabelled(root, above):
            return path
        path = above


def _written(config: Config) -> Iterator[str]:
    """Yield the paths that steps of this stage leave untouched when they match the config."""
    yield from OWN
    yield distro.record_directory()
    storage = config.storage
    nodes: tuple[Directory | File | Link, ...] = (*storage.directories, *storage.files, *storage.links)
    yield from (node.path for node in nodes)


def _account_files(config: Config, root: RootView) -> Iterator[str]:
    if config.passwd.users or config.passwd.groups:
        names = (*ACCOUNT_FILES, ".pwd.lock")
        yield from (f"/etc/{name}" for name in root.list("/etc") if name.startswith(names))


def homes_of(config: Config, root: RootView) -> Iterator[str]:
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
