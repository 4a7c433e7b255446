# SPDX-License-Identifier: Apache-2.0
"""The adapters of the files stage's steps."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host.files.root_view import RootView
from ignition.host.root import Owner
from ignition.host.users import GROUP_FILES, USER_FILES
from ignition.host.users import Accounts as FoundAccounts
from ignition.preview.adapter import Adapter
from ignition.preview.effects import Does, Effect, flat
from ignition.preview.host import PreviewHost
from ignition.preview.tree import PredictedTree
from ignition.schemas.config import Config
from ignition.schemas.passwd import PasswdGroup, PasswdUser
from ignition.schemas.storage import Directory, File, Link
from ignition.stages import Plan
from ignition.stages.files.accounts.step import AccountFacts
from ignition.stages.files.crypttab import TABLE, WriteCrypttab, WriteKey
from ignition.stages.files.mdadm_conf import PATH as ARRAYS
from ignition.stages.files.mdadm_conf import MdadmConfFacts
from ignition.stages.files.result import WriteResult
from ignition.stages.files.selinux import SetLabels
from ignition.stages.files.systemd.lookup import UNITS
from ignition.stages.files.systemd.presets import PRESETS
from ignition.stages.files.systemd.unit_files import NOWHERE, Mask, Unmask, WriteUnitFile
from ignition.stages.files.tree.staging import Piece
from ignition.stages.files.tree.step import ResolvedNode

__all__ = [
    "Accounts",
    "Crypttab",
    "Enablement",
    "MdadmConf",
    "Nodes",
    "Relabel",
    "Result",
    "UnitFiles",
]

NEW_ID: Final = 2**32 - 2
"""Placeholder for the id of an account that does not exist yet."""


class Accounts(Adapter):
    """Each group and user."""

    handles_refusals = True

    def effects(self, config: Config, facts: AccountFacts, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        refused = {refusal.path[:3] for refusal in plan.refusals}
        changed = {action.path[:3] for action in flat(plan.actions)}
        for index, group in enumerate(config.passwd.groups):
            path: ConfigPath = ("passwd", "groups", index)
            if path not in refused:
                exists = group.name in facts.accounts.groups
                yield Effect(path, _does(group, exists, path in changed), f'group "{group.name}"')
        for index, user in enumerate(config.passwd.users):
            path = ("passwd", "users", index)
            if path not in refused:
                yield _user(path, user, facts.accounts, is_changed=path in changed)

    def predict(self, config: Config, facts: AccountFacts, plan: Plan, host: PreviewHost) -> State:
        """Predict the account files, because later steps look up owners by name."""
        _predict_accounts(config, facts.accounts, host.root)
        return State()


class Nodes(Adapter):
    """Each directory, file and link."""

    def effects(
        self, config: Config, facts: Any, plan: Plan, host: PreviewHost
    ) -> Iterator[Effect | Refusal]:
        for each, owner in plan.decisions:
            yield _node(each, owner, each.pieces, host)


class UnitFiles(Adapter):
    """The files of each unit. The preset file is part of enabling units."""

    handles_refusals = True

    def effects(self, config: Config, facts: str, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for action in flat(plan.actions):
            match action:
                case WriteUnitFile() if action.place != PRESETS:
                    yield _written(action, host.root)
                case Mask() | Unmask():
                    wanted = isinstance(action, Mask)
                    is_same = _is_mask(host.root, f"{UNITS}/{action.unit}") == wanted
                    does = Does.KEEP if is_same else Does.CREATE if wanted else Does.DESTROY
                    yield Effect((*action.path, "mask"), does, f'mask of unit "{action.unit}"')

    def predict(self, config: Config, facts: str, plan: Plan, host: PreviewHost) -> State:
        """Predict the files, because the next step looks units up."""
        for action in flat(plan.actions):
            match action:
                case WriteUnitFile():
                    host.root.predict_file(action.place, action.text.encode("utf-8", "surrogateescape"))
                case Mask():
                    host.root.predict_symlink(f"{UNITS}/{action.unit}", NOWHERE)
                case Unmask():
                    if _is_mask(host.root, f"{UNITS}/{action.unit}"):
                        host.root.predict_removal(f"{UNITS}/{action.unit}")
        return State()


class Enablement(Adapter):
    """The symlinks that start units."""

    def effects(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for each in plan.decisions:
            path = (*each.path, "enabled")
            what = f'start of unit "{each.unit.name}" at boot'
            linked = bool(each.installed and each.installed.linked)
            if not each.unit.enabled:
                yield Effect(path, Does.DESTROY if linked else Does.KEEP, what)
            elif each.problem:
                yield Effect(path, Does.UNKNOWN, what, f"it would not start: {each.problem}")
            else:
                yield Effect(path, Does.KEEP if linked else Does.CREATE, what)


class Crypttab(Adapter):
    """Key files and /etc/crypttab."""

    def effects(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for line in plan.keeps:
            yield Effect((), Does.KEEP, line)
        for action in flat(plan.actions):
            match action:
                case WriteKey():
                    what = f"key of the LUKS volume {action.name} in {posixpath.dirname(action.file)}"
                    yield Effect(action.path, Does.CREATE, what)
                case WriteCrypttab():
                    yield Effect(action.path, Does.CHANGE, f"lines in {TABLE}")


class MdadmConf(Adapter):
    """The lines of mdadm.conf, one for each RAID array."""

    def effects(
        self, config: Config, facts: MdadmConfFacts, plan: Plan, host: PreviewHost
    ) -> Iterator[Effect]:
        for index in facts.missing:
            what = f"line of the RAID array {config.storage.raid[index].name} in {facts.file}"
            yield Effect((*ARRAYS, index), Does.CREATE, what)


class Result(Adapter):
    """The result file."""

    def effects(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for action in flat(plan.actions):
            if isinstance(action, WriteResult):
                does = Does.CREATE if action.facts.previous is None else Does.CHANGE
                yield Effect((), does, f"the result file {distro.RESULT_FILE}")


class Relabel(Adapter):
    """SELinux labels as a whole: which paths are labelled is known when they are written."""

    def effects(
        self, config: Config, facts: SetLabels | None, plan: Plan, host: PreviewHost
    ) -> Iterator[Effect]:
        if facts is not None:
            yield Effect((), Does.CHANGE, "SELinux labels of all written paths")


# Users and groups.


def _user(path: ConfigPath, user: PasswdUser, found: FoundAccounts, *, is_changed: bool) -> Effect:
    existing = found.users.get(user.name)
    does = _does(user, existing is not None, is_changed)
    home = existing.home if existing and does is Does.DESTROY else ""
    keys = len(user.ssh_authorized_keys)
    return Effect(
        path,
        does,
        f'user "{user.name}"',
        f"with {_count(keys, 'ssh key')}" if keys and does is not Does.DESTROY else "",
        lost=(f"{home} and its contents",) if home else (),
    )


def _does(wanted: PasswdUser | PasswdGroup, exists: bool, is_changed: bool) -> Does:
    if not is_changed:
        return Does.KEEP
    if wanted.should_exist is False:
        return Does.DESTROY
    return Does.CHANGE if exists else Does.CREATE


def _predict_accounts(config: Config, there: FoundAccounts, root: PredictedTree) -> None:
    users = {name: (user.uid, user.gid, user.home) for name, user in there.users.items()}
    groups = {name: group.gid for name, group in there.groups.items()}
    for group in config.passwd.groups:
        if group.should_exist is False:
            groups.pop(group.name, None)
        else:
            groups.setdefault(group.name, NEW_ID if group.gid is None else group.gid)
    for user in config.passwd.users:
        if user.should_exist is False:
            users.pop(user.name, None)
            continue
        uid = NEW_ID if user.uid is None else user.uid
        users.setdefault(user.name, (uid, NEW_ID, user.home_dir or f"/home/{user.name}"))
        if not (user.no_user_group or user.primary_group):
            groups.setdefault(user.name, NEW_ID)
    for file in (*USER_FILES[1:], *GROUP_FILES[1:]):
        root.predict_file(file, b"")
    root.predict_file(USER_FILES[0], _lines(f"{n}:x:{u}:{g}::{h}:" for n, (u, g, h) in users.items()))
    root.predict_file(GROUP_FILES[0], _lines(f"{name}:x:{gid}:" for name, gid in groups.items()))


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


# Directories, files and links.


def _node(each: ResolvedNode, owner: Owner, pieces: tuple[Piece, ...], host: PreviewHost) -> Effect | Refusal:
    """Return the effect on one entry. `owner` is its new owner; -1 means unchanged."""
    what = f"{_kind(each.node)} {each.place}"
    if each.found is None:
        return Effect(each.path, Does.CREATE, what, _contents(each, pieces))
    if isinstance(each.node, Link):
        return _link(each, each.node, what, host.root)
    if each.overwrite:
        return _replaced(each, what, host.root)
    if isinstance(each.node, File) and pieces:
        if each.node.contents.source is None:
            return Effect(each.path, Does.CHANGE, what, f"{_count(len(pieces), 'fragment')} appended")
        return _compared(each, what, pieces, host)
    changes = ", ".join(_permissions(each, owner, host.root))
    return Effect(each.path, Does.CHANGE if changes else Does.KEEP, what, changes)


def _kind(node: Directory | File | Link) -> str:
    if isinstance(node, Directory):
        return "directory"
    if isinstance(node, File):
        return "file"
    return "hard link" if node.hard else "symlink"


def _contents(each: ResolvedNode, pieces: tuple[Piece, ...]) -> str:
    if isinstance(each.node, Link):
        return f"to {each.node.target}"
    remote = sum(not piece.is_local for piece in pieces)
    return f"{_count(remote, 'resource')} to be fetched" if remote else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _link(each: ResolvedNode, link: Link, what: str, root: RootView) -> Effect:
    target = link.target or ""
    if not link.hard:
        if each.found and each.found.target == target:
            return Effect(each.path, Does.KEEP, what, f"to {target}")
    elif (there := root.find(target)) and os.path.samestat(there, root.lstat(each.place)):
        return Effect(each.path, Does.KEEP, what, f"to {target}")
    return Effect(each.path, Does.CHANGE, what, f"to {target}", lost=(_thing(each, root),))


def _replaced(each: ResolvedNode, what: str, root: RootView) -> Effect:
    is_directory = stat.S_ISDIR(root.lstat(each.place).st_mode)
    return Effect(
        each.path, Does.DESTROY if is_directory else Does.CHANGE, what, "replaced", lost=(_thing(each, root),)
    )


def _thing(each: ResolvedNode, root: RootView) -> str:
    """Describe the existing object."""
    status = root.lstat(each.place)
    if stat.S_ISDIR(status.st_mode):
        return f"directory {each.place} with {_entries(len(root.list(each.place)))}"
    if stat.S_ISLNK(status.st_mode):
        return f"symlink to {root.readlink(each.place)}"
    return f"{each.place} ({_count(status.st_size, 'byte')})"


def _compared(
    each: ResolvedNode, what: str, pieces: tuple[Piece, ...], host: PreviewHost
) -> Effect | Refusal:
    """Compare an existing file that must not be overwritten; contents in the config are compared at once."""
    if not all(piece.is_local for piece in pieces):
        why = "it must already have the contents, which are not fetched yet (overwrite is not true)"
        return Effect(each.path, Does.UNKNOWN, what, why)
    wanted = b"".join(host.fetch.bytes(piece.source) for piece in pieces)
    if wanted != host.root.read(each.place):
        reason = f"{each.place} exists with other contents"
        return Refusal(each.path, reason, "set overwrite: true to replace it")
    return Effect(each.path, Does.KEEP, what)


def _permissions(each: ResolvedNode, owner: Owner, root: RootView) -> Iterator[str]:
    status = root.lstat(each.place)
    mode = None if isinstance(each.node, Link) else each.node.mode
    for word, wanted, now in zip(("user", "group"), owner, (status.st_uid, status.st_gid), strict=True):
        if wanted not in {-1, now}:
            yield f"{word} {now} becomes {'a new id' if wanted == NEW_ID else wanted}"
    if mode is not None and mode != stat.S_IMODE(status.st_mode):
        yield f"mode {stat.S_IMODE(status.st_mode):04o} becomes {mode:04o}"


# Units.


def _written(action: WriteUnitFile, root: RootView) -> Effect:
    if not root.exists(action.place):
        return Effect(action.path, Does.CREATE, action.what)
    if root.is_file(action.place) and root.read_text(action.place) == action.text:
        return Effect(action.path, Does.KEEP, action.what)
    return Effect(action.path, Does.CHANGE, action.what, "replaced")


def _is_mask(root: RootView, place: str) -> bool:
    found = root.find(place)
    return (
        found is not None
        and stat.S_ISLNK(found.st_mode)
        and posixpath.normpath(root.readlink(place)) == NOWHERE
    )
