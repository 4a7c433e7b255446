# SPDX-License-Identifier: Apache-2.0
"""The step for directories, files and links.

All paths are resolved before the first write, and two entries with the same resolved path are refused.
Conflicts with existing objects are refused at once; the contents of an existing file are compared after
the resources are staged, before the first file is moved.

Order: directories, files and symlinks by the depth of their resolved paths, then in config order; hard links
last. Source: docs/reference/stages.md, "Writing files".
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from ignition.boot.state import State
from ignition.config.source import source_of
from ignition.configpath import ConfigPath, format_path
from ignition.errors import FetchError, IgnitionError, text_of
from ignition.host import View
from ignition.host.files.root_view import RootView
from ignition.host.root import Owner as Ids
from ignition.host.users import Accounts, read_accounts
from ignition.schemas.config import Config
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Directory, File, Link
from ignition.stages import Action, Plan, Refusal
from ignition.stages.files.tree.actions import (
    NEW_FILE,
    SAME,
    AppendToFile,
    ExpectContents,
    PlaceDirectory,
    PlaceFile,
    PlaceHardLink,
    PlaceLink,
    SetPermissions,
)
from ignition.stages.files.tree.staging import Piece, Staged, fetches, staging_directory

__all__ = ["ExistingNode", "Kind", "Nodes", "ResolvedNode", "TreeFacts"]

Entry = Directory | File | Link

NEW: Ids = (0, -1)
"""Default owner of a new file or directory: root, and the group that the kernel assigns."""

NEW_LINK: Ids = (0, 0)
BAD_ID = "is not a valid id, expected 0 to 4294967294"


class Kind(Enum):
    """The kind of an existing object, in words."""

    DIRECTORY = "a directory"
    FILE = "a file"
    LINK = "a symlink"
    OTHER = "a device, socket or FIFO"

    @classmethod
    def of(cls, mode: int) -> Kind:
        """Return the kind for `st_mode`."""
        kinds = {stat.S_IFDIR: cls.DIRECTORY, stat.S_IFREG: cls.FILE, stat.S_IFLNK: cls.LINK}
        return kinds.get(stat.S_IFMT(mode), cls.OTHER)


@dataclass(frozen=True)
class ExistingNode:
    """The object that exists at a path; `target` is the text of a symlink."""

    kind: Kind
    target: str = ""


@dataclass(frozen=True)
class ResolvedNode:
    """One entry of the config with its resolved path.

    Attributes:
        path: the entry's path in the config.
        node: the entry.
        place: its path in the target root, with symlinks above it resolved.
        found: the object that exists when the entry's turn comes; None if there is none.
        staging: for a file, its staging directory; None if no directory on its mount is writable.
    """

    path: ConfigPath
    node: Entry
    place: str
    found: ExistingNode | None = None
    staging: str | None = None

    @property
    def overwrite(self) -> bool:
        """Whether an existing object may be replaced."""
        return bool(self.node.overwrite)

    @property
    def is_hard_link(self) -> bool:
        """Whether it is a hard link, which is written after everything else."""
        return isinstance(self.node, Link) and bool(self.node.hard)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The resources of a file."""
        return tuple(_pieces(self))


@dataclass(frozen=True)
class TreeFacts:
    """Facts about the paths that the config names.

    Attributes:
        wanted: the entries: directories, files, links.
        troubles: refusals for entries whose path cannot be resolved.
        accounts: users and groups, for owners by name.
        mounts: mount points of the config's filesystems.
    """

    wanted: tuple[ResolvedNode, ...] = ()
    troubles: tuple[Refusal, ...] = ()
    accounts: Accounts = field(default_factory=Accounts)
    mounts: tuple[str, ...] = ()


class Nodes:
    """The step for `storage.directories`, `storage.files` and `storage.links`."""

    name = "nodes"

    def wanted(self, config: Config) -> bool:
        return bool(config.storage.directories or config.storage.files or config.storage.links)

    def observe(self, config: Config, host: View, state: State) -> TreeFacts:
        """Resolve each path, and see which object exists there."""
        del state
        resolver = _Resolver(host.root)
        with host.root.cached_directories():
            for path, node in sorted(_nodes(config), key=lambda each: each[1].path.count("/")):
                resolver.resolve(path, node)
        order = {path: number for number, (path, _) in enumerate(_nodes(config))}
        return TreeFacts(
            wanted=tuple(sorted(resolver.wanted, key=lambda each: order[each.path])),
            troubles=tuple(resolver.troubles),
            accounts=read_accounts(host.root),
            mounts=tuple(host.root.follow(each.path) for each in config.storage.filesystems if each.path),
        )

    def plan(self, config: Config, facts: TreeFacts) -> Plan:
        """Refuse conflicts, else stage all contents, compare, then write in order."""
        del config
        refusals = [
            *facts.troubles,
            *_collisions(facts),
            *_conflicts(facts),
            *_owners(facts),
            *_sources(facts),
        ]
        refused = {refusal.path[:3] for refusal in refusals}
        ordered = [each for each in _in_order(facts.wanted) if each.path not in refused]
        owned = tuple((each, _owner(each, facts.accounts)) for each in ordered)
        if refusals:
            return Plan(refusals=tuple(refusals), decisions=owned)
        pieces = [piece for each in ordered for piece in each.pieces]
        comparisons = [action for each in ordered for action in _comparison(each)]
        placements = [action for each, owner in owned for action in _placement(each, owner)]
        placed = {action.path for action in placements}
        return Plan(
            actions=_staged(pieces, (*fetches(pieces), *comparisons, *placements)),
            keeps=tuple(f"{each.place} is unchanged" for each in ordered if each.path not in placed),
            decisions=owned,
        )


class _Resolver:
    """Resolve the path of each entry, shallow paths first.

    An object that an entry above it replaces no longer counts: neither as existing, nor as a symlink in
    the path.
    """

    def __init__(self, root: RootView) -> None:
        self.wanted: list[ResolvedNode] = []
        self.troubles: list[Refusal] = []
        self._root = root
        self._parents: dict[str, str] = {}
        self._removed: dict[str, str] = {}
        self._there: dict[str, bool] = {}
        self._staging: dict[str, str | None] = {}

    def resolve(self, path: ConfigPath, node: Entry) -> None:
        """Resolve one entry."""
        try:
            place = self._place(node.path)
            found = self._found(place)
        except (OSError, IgnitionError) as error:
            self.troubles.append(Refusal((*path, "path"), f"cannot resolve {node.path}: {text_of(error)}"))
            return
        staging = self._staging_for(place) if isinstance(node, File) else None
        self.wanted.append(ResolvedNode(path, node, place, found, staging))
        if found and node.overwrite:
            self._removed[node.path] = place

    def _place(self, path: str) -> str:
        for above, place in self._removed.items():
            if path.startswith(f"{above}/"):
                return place + path.removeprefix(above)
        parent, name = posixpath.split(path)
        if parent not in self._parents:
            self._parents[parent] = self._root.follow(parent)
        return posixpath.join(self._parents[parent], name)

    def _found(self, place: str) -> ExistingNode | None:
        if any(place.startswith(f"{removed}/") for removed in self._removed.values()):
            return None
        directory = posixpath.dirname(place)
        if directory not in self._there:
            self._there[directory] = self._root.exists(directory)
        status = self._root.find(place) if self._there[directory] else None
        if status is None:
            return None
        kind = Kind.of(status.st_mode)
        return ExistingNode(kind, self._root.readlink(place) if kind is Kind.LINK else "")

    def _staging_for(self, place: str) -> str | None:
        directory = posixpath.dirname(place)
        if directory not in self._staging:
            self._staging[directory] = staging_directory(self._root, place, self._removed.values())
        return self._staging[directory]


def _nodes(config: Config) -> Iterator[tuple[ConfigPath, Entry]]:
    """Yield all entries with their config paths, in config order."""
    storage = config.storage
    lists: tuple[tuple[str, tuple[Entry, ...]], ...] = (
        ("directories", storage.directories),
        ("files", storage.files),
        ("links", storage.links),
    )
    for name, nodes in lists:
        for number, node in enumerate(nodes):
            yield ("storage", name, number), node


def _in_order(wanted: tuple[ResolvedNode, ...]) -> list[ResolvedNode]:
    """Return shallow entries first and hard links last, each in config order."""
    soft = [each for each in wanted if not each.is_hard_link]
    hard = [each for each in wanted if each.is_hard_link]
    return sorted(soft, key=lambda each: len([part for part in each.place.split("/") if part])) + hard


# Refusals.


def _collisions(facts: TreeFacts) -> Iterator[Refusal]:
    """Refuse entries with one resolved path, and entries below an entry that is not a directory."""
    first: dict[str, ResolvedNode] = {}
    for each in facts.wanted:
        other = first.setdefault(each.place, each)
        if other is not each:
            reason = f"{each.node.path} resolves to {each.place}, which {format_path(other.path)} also writes"
            yield Refusal((*each.path, "path"), reason)
    in_the_way: dict[str, list[ResolvedNode]] = {}
    for each in facts.wanted:
        directory = posixpath.dirname(each.place)
        if directory not in in_the_way:
            others = [first[above] for above in (directory, *_above(directory)) if above in first]
            in_the_way[directory] = [other for other in others if not isinstance(other.node, Directory)]
        for other in in_the_way[directory]:
            if other is not each:
                why = f"{format_path(other.path)} does not make {other.place} a directory"
                yield Refusal((*each.path, "path"), f"cannot create {each.place}: {why}")


def _above(place: str) -> Iterator[str]:
    while place != "/":
        place = posixpath.dirname(place)
        yield place


def _conflicts(facts: TreeFacts) -> Iterator[Refusal]:
    """Refuse entries that conflict with existing objects."""
    for each in facts.wanted:
        if each.found and each.overwrite:
            yield from _lost_mounts(each, facts.mounts)
        elif each.found:
            yield from _in_the_way(each, each.found)
        if isinstance(each.node, File) and each.staging is None and any(_resources(each)):
            yield Refusal(each.path, f"cannot write {each.place}: read-only file system")


def _lost_mounts(each: ResolvedNode, mounts: tuple[str, ...]) -> Iterator[Refusal]:
    lost = [mount for mount in ("/", *mounts) if f"{mount}/".startswith(f"{each.place.rstrip('/')}/")]
    if each.found and each.found.kind is Kind.DIRECTORY and lost:
        yield Refusal(
            (*each.path, "overwrite"),
            f"cannot overwrite {each.place}: a filesystem is mounted at {lost[-1]}",
            "set wipeFilesystem: true to empty a filesystem",
        )


def _in_the_way(each: ResolvedNode, found: ExistingNode) -> Iterator[Refusal]:
    exists, hint = f"{each.place} exists and is", "set overwrite: true to replace it"
    match each.node:
        case Directory() if found.kind is not Kind.DIRECTORY:
            yield Refusal(
                each.path, f"{each.place} exists and is {found.kind.value}, expected a directory", hint
            )
        case File() if found.kind is not Kind.FILE:
            yield Refusal(each.path, f"{exists} {found.kind.value}, expected a file", hint)
        case Link() if each.is_hard_link:
            if found.kind is Kind.DIRECTORY:
                yield Refusal(each.path, f"{exists} a directory, expected a file", hint)
        case Link() if not _same_link(each.node, found):
            yield Refusal(each.path, f"{exists} not a symlink to {each.node.target}", hint)
        case _:
            return


def _same_link(link: Link, found: ExistingNode) -> bool:
    wanted = posixpath.normpath(link.target or "")
    return found.kind is Kind.LINK and posixpath.normpath(found.target) == wanted


def _owners(facts: TreeFacts) -> Iterator[Refusal]:
    """Refuse owners that do not exist."""
    for each in facts.wanted:
        for word, owner, known in (
            ("user", each.node.user, facts.accounts.users),
            ("group", each.node.group, facts.accounts.groups),
        ):
            if owner.id is not None:
                if not 0 <= owner.id < 2**32 - 1:
                    yield Refusal(
                        (*each.path, word, "id"), f"{owner.id} is not a valid id, expected 0 to 4294967294"
                    )
            elif owner.name and owner.name not in known:
                hint = f"add the {word} to passwd.{word}s, or set {word}.id"
                yield Refusal(
                    (*each.path, word, "name"),
                    f'{word} "{owner.name}" not found in the target root',
                    hint,
                )


def _sources(facts: TreeFacts) -> Iterator[Refusal]:
    """Refuse resources with malformed headers."""
    for each in facts.wanted:
        for path, resource in _resources(each):
            try:
                source_of(resource)
            except FetchError as error:
                yield Refusal((*path, "httpHeaders"), str(error), error.hint)


# Actions.


def _staged(pieces: list[Piece], actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Return the actions, wrapped in staging directories if there are resources."""
    directories = tuple(dict.fromkeys(posixpath.dirname(piece.staged) for piece in pieces))
    return (Staged(("storage",), directories, actions),) if directories else actions


def _resources(each: ResolvedNode) -> Iterator[tuple[ConfigPath, Resource]]:
    """Yield the resources of a file, contents first."""
    if not isinstance(each.node, File):
        return
    if each.node.contents.source is not None:
        yield (*each.path, "contents"), each.node.contents
    for number, fragment in enumerate(each.node.append):
        yield (*each.path, "append", number), fragment


def _pieces(each: ResolvedNode) -> Iterator[Piece]:
    mode = each.node.mode if isinstance(each.node, File) else None
    for path, resource in _resources(each):
        staged = f"{each.staging}/{'-'.join(map(str, path[2:]))}"
        yield Piece(path, each.place, source_of(resource), staged, NEW_FILE if mode is None else mode)


def _comparison(each: ResolvedNode) -> Iterator[Action]:
    """Yield the comparison of an existing file that must not be overwritten."""
    if isinstance(each.node, File) and each.node.contents.source is not None and _is_kept(each):
        yield ExpectContents(each.path, each.place, each.pieces)


def _is_kept(each: ResolvedNode) -> bool:
    return each.found is not None and not each.overwrite


def _default_owner(each: ResolvedNode) -> Ids:
    """Return the owner for entries that name none."""
    if _is_kept(each):
        return SAME
    return NEW_LINK if isinstance(each.node, Link) else NEW


def _placement(each: ResolvedNode, owner: Ids) -> Iterator[Action]:
    match each.node:
        case Directory():
            yield from _directory(each, each.node, owner)
        case File():
            yield from _file(each, each.node, owner)
        case Link() if each.is_hard_link:
            yield PlaceHardLink(each.path, each.place, each.node.target or "", each.overwrite)
        case Link() if _is_kept(each):
            # The reference ignores the owner of an unchanged symlink, against its documentation.
            yield from _permissions(each, owner, None)
        case Link():
            yield PlaceLink(each.path, each.place, each.node.target or "", owner)


def _directory(each: ResolvedNode, node: Directory, owner: Ids) -> Iterator[Action]:
    if _is_kept(each):
        yield from _permissions(each, owner, node.mode)
    else:
        yield PlaceDirectory(each.path, each.place, owner, node.mode, empty=each.found is not None)


def _file(each: ResolvedNode, node: File, owner: Ids) -> Iterator[Action]:
    pieces = each.pieces
    appends_only = bool(pieces) and node.contents.source is None and not (each.found and each.overwrite)
    if appends_only:
        yield AppendToFile(each.path, each.place, pieces, owner, node.mode)
    elif _is_kept(each):
        yield from _permissions(each, owner, node.mode)
    else:
        yield PlaceFile(each.path, each.place, pieces, owner, node.mode, each.found is None)


def _permissions(each: ResolvedNode, owner: Ids, mode: int | None) -> Iterator[Action]:
    if owner != SAME or mode is not None:
        yield SetPermissions(each.path, each.place, owner, mode)


def _owner(each: ResolvedNode, accounts: Accounts) -> Ids:
    """Return the ids of an entry's owner and group; a default where it names none."""
    node, (user, group) = each.node, _default_owner(each)
    if node.user.id is not None:
        user = node.user.id
    elif node.user.name:
        user = accounts.users[node.user.name].uid
    if node.group.id is not None:
        group = node.group.id
    elif node.group.name:
        group = accounts.groups[node.group.name].gid
    return user, group
