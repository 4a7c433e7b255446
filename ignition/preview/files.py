"""What the files stage will have done to users, files and units, and what is lost by it. For previews."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host import Host
from ignition.host.root import Owner, Root
from ignition.host.users import GROUP_FILES, USER_FILES, Accounts
from ignition.preview.effects import Does, Effect
from ignition.schemas.config import Config
from ignition.schemas.passwd import PasswdGroup, PasswdUser
from ignition.schemas.storage import Directory, File, Link
from ignition.stages.files.systemd.lookup import UNITS
from ignition.stages.files.tree.staging import Piece

if TYPE_CHECKING:
    from ignition.preview.tree import PreviewRoot
    from ignition.stages.files.systemd.enablement import KnownUnit
    from ignition.stages.files.tree.step import ResolvedNode

__all__ = ["accounts", "enablement", "make_accounts", "node", "unit_files"]

NOBODY: int = 2**32 - 2
"""Stands for the id of an account that is still to be made."""


# Users and groups.


def accounts(config: Config, there: Accounts, changed: Collection[ConfigPath]) -> Iterator[Effect]:
    """The effects on each group and user; `changed` are those about which anything is done."""
    for index, group in enumerate(config.passwd.groups):
        path: ConfigPath = ("passwd", "groups", index)
        does = _does(group, exists=group.name in there.groups, is_changed=path in changed)
        yield Effect(path, does, f'group "{group.name}"')
    for index, user in enumerate(config.passwd.users):
        path = ("passwd", "users", index)
        found = there.users.get(user.name)
        does = _does(user, exists=found is not None, is_changed=path in changed)
        goes = does is Does.DESTROY and found and found.home
        keys = len(user.ssh_authorized_keys)
        yield Effect(
            path,
            does,
            f'user "{user.name}"',
            f"with {_count(keys, 'ssh key')}" if keys and does is not Does.DESTROY else "",
            lost=(f"{goes} with all that is in it",) if goes else (),
        )


def _does(wanted: PasswdUser | PasswdGroup, *, exists: bool, is_changed: bool) -> Does:
    if not is_changed:
        return Does.KEEP
    if wanted.should_exist is False:
        return Does.DESTROY
    return Does.CHANGE if exists else Does.CREATE


def make_accounts(config: Config, there: Accounts, root: PreviewRoot) -> None:
    """Write the accounts that there will be, for those who look owners up by name."""
    users = {name: (user.uid, user.gid, user.home) for name, user in there.users.items()}
    groups = {name: group.gid for name, group in there.groups.items()}
    for group in config.passwd.groups:
        if group.should_exist is False:
            groups.pop(group.name, None)
        else:
            groups.setdefault(group.name, NOBODY if group.gid is None else group.gid)
    for user in config.passwd.users:
        if user.should_exist is False:
            users.pop(user.name, None)
            continue
        uid = NOBODY if user.uid is None else user.uid
        users.setdefault(user.name, (uid, NOBODY, user.home_dir or f"/home/{user.name}"))
        if not (user.no_user_group or user.primary_group):
            groups.setdefault(user.name, NOBODY)
    for file in (*USER_FILES[1:], *GROUP_FILES[1:]):
        root.write(file, b"")
    root.write(USER_FILES[0], _lines(f"{n}:x:{u}:{g}::{h}:" for n, (u, g, h) in users.items()))
    root.write(GROUP_FILES[0], _lines(f"{name}:x:{gid}:" for name, gid in groups.items()))


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


# Directories, files and links.


def node(each: ResolvedNode, owner: Owner, pieces: tuple[Piece, ...], host: Host) -> Effect | Refusal:
    """The effect on one of them. `owner` is what it will have, -1 for what stays."""
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
    return "hard link" if node.hard else "link"


def _contents(each: ResolvedNode, pieces: tuple[Piece, ...]) -> str:
    if isinstance(each.node, Link):
        return f"to {each.node.target}"
    remote = sum(not piece.is_local for piece in pieces)
    return f"{_count(remote, 'resource')} to be fetched" if remote else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _link(each: ResolvedNode, link: Link, what: str, root: Root) -> Effect:
    target = link.target or ""
    if not link.hard:
        if each.found and each.found.target == target:
            return Effect(each.path, Does.KEEP, what, f"to {target}")
    elif (there := root.find(target)) and os.path.samestat(there, root.lstat(each.place)):
        return Effect(each.path, Does.KEEP, what, f"to {target}")
    return Effect(each.path, Does.CHANGE, what, f"to {target}", lost=(_thing(each, root),))


def _replaced(each: ResolvedNode, what: str, root: Root) -> Effect:
    is_directory = stat.S_ISDIR(root.lstat(each.place).st_mode)
    return Effect(
        each.path, Does.DESTROY if is_directory else Does.CHANGE, what, "replaced", lost=(_thing(each, root),)
    )


def _thing(each: ResolvedNode, root: Root) -> str:
    """What stands there now, in words."""
    status = root.lstat(each.place)
    if stat.S_ISDIR(status.st_mode):
        return f"{each.place} with all that is in it ({_count(len(root.list(each.place)), 'name')})"
    if stat.S_ISLNK(status.st_mode):
        return f"a link to {root.readlink(each.place)}"
    return f"{each.place} as it is ({_count(status.st_size, 'byte')})"


def _compared(each: ResolvedNode, what: str, pieces: tuple[Piece, ...], host: Host) -> Effect | Refusal:
    """It has to hold already what it should; what the config itself holds can be compared at once."""
    if not all(piece.is_local for piece in pieces):
        why = "it must not be overwritten, and has to hold the contents already that are still to be fetched"
        return Effect(each.path, Does.UNKNOWN, what, why)
    wanted = b"".join(host.fetch.bytes(piece.source) for piece in pieces)
    if wanted != host.root.read(each.place):
        reason = f"{each.place} exists with other contents"
        return Refusal(each.path, reason, "set overwrite: true to replace it")
    return Effect(each.path, Does.KEEP, what)


def _permissions(each: ResolvedNode, owner: Owner, root: Root) -> Iterator[str]:
    status = root.lstat(each.place)
    mode = None if isinstance(each.node, Link) else each.node.mode
    for word, wanted, now in zip(("user", "group"), owner, (status.st_uid, status.st_gid), strict=True):
        if wanted not in {-1, now}:
            yield f"{word} {now} becomes {'one to be made' if wanted == NOBODY else wanted}"
    if mode is not None and mode != stat.S_IMODE(status.st_mode):
        yield f"mode {stat.S_IMODE(status.st_mode):04o} becomes {mode:04o}"


# Units.


def unit_files(config: Config, root: Root) -> Iterator[Effect]:
    """The effects on the files of each unit."""
    for index, unit in enumerate(config.systemd.units):
        path: ConfigPath = ("systemd", "units", index)
        for number, dropin in enumerate(unit.dropins):
            if dropin.contents is not None:
                place = f"{UNITS}/{unit.name}.d/{dropin.name}"
                what = f'drop-in "{dropin.name}" of unit "{unit.name}"'
                yield _written((*path, "dropins", number), what, place, dropin.contents, root)
        if unit.contents:
            yield _written(path, f'unit "{unit.name}"', f"{UNITS}/{unit.name}", unit.contents, root)
        if unit.mask is not None:
            masked = root.exists(f"{UNITS}/{unit.name}") and _is_mask(root, f"{UNITS}/{unit.name}")
            does = Does.KEEP if masked == unit.mask else Does.CREATE if unit.mask else Does.DESTROY
            yield Effect((*path, "mask"), does, f'mask of unit "{unit.name}"')


def _written(path: ConfigPath, what: str, place: str, text: str, root: Root) -> Effect:
    if not root.exists(place):
        return Effect(path, Does.CREATE, what)
    if root.is_file(place) and root.read_text(place) == text:
        return Effect(path, Does.KEEP, what)
    return Effect(path, Does.CHANGE, what, "replaced")


def _is_mask(root: Root, place: str) -> bool:
    is_link = stat.S_ISLNK(root.lstat(place).st_mode)
    return is_link and posixpath.normpath(root.readlink(place)) == "/dev/null"


def enablement(config: Config, known: Mapping[str, KnownUnit], troubles: Mapping[str, str]) -> Iterator[Effect]:
    """What becomes of the links that start units. `troubles` tells which will not start, and why."""
    for index, unit in enumerate(config.systemd.units):
        if unit.enabled is None:
            continue
        path: ConfigPath = ("systemd", "units", index, "enabled")
        installed = known[unit.name].installed
        what = f'start of unit "{unit.name}" at boot'
        if unit.enabled and unit.name in troubles:
            yield Effect(path, Does.UNKNOWN, what, f"as things stand, {troubles[unit.name]}")
        elif unit.enabled:
            yield Effect(path, Does.KEEP if installed and installed.linked else Does.CREATE, what)
        else:
            yield Effect(path, Does.DESTROY if installed and installed.linked else Does.KEEP, what)
