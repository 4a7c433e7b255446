"""Directories, files and links: looked at, decided, and only then made.

All paths are resolved before anything is written, as the reference does, and two that lead to the same
place are refused. Everything that the config may not do to what exists is refused at once; whether an
existing file holds what it should is seen when its contents are there, before the first file is moved.

Order: directories, files and symbolic links by the depth of their resolved paths, ties in config order;
then all hard links. Source: engine.md 8 and 9.5, point 4.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from ignition.boot.state import State
from ignition.config.resources import source_of
from ignition.configpath import ConfigPath, format_path
from ignition.errors import FetchError, IgnitionError
from ignition.host import Host
from ignition.host.root import Owner as Ids
from ignition.host.root import Root
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
    GivePermissions,
    PlaceDirectory,
    PlaceFile,
    PlaceHardLink,
    PlaceLink,
)
from ignition.stages.files.tree.staging import Piece, Staged, fetches, staging_directory

if TYPE_CHECKING:
    from ignition.preview.effects import Effect

__all__ = ["Facts", "Found", "Kind", "Nodes", "Wanted"]

Entry = Directory | File | Link

NEW: Ids = (0, -1)
"""Who owns a new file or directory, unless the config says otherwise: root, and the group that the kernel
gives to it."""

NEW_LINK: Ids = (0, 0)


class Kind(Enum):
    """What stands at a path."""

    DIRECTORY = "a directory"
    FILE = "a file"
    LINK = "a link"
    OTHER = "something that is neither file, directory nor link"

    @classmethod
    def of(cls, mode: int) -> Kind:
        """The kind that an inode's mode tells."""
        kinds = {stat.S_IFDIR: cls.DIRECTORY, stat.S_IFREG: cls.FILE, stat.S_IFLNK: cls.LINK}
        return kinds.get(stat.S_IFMT(mode), cls.OTHER)


@dataclass(frozen=True)
class Found:
    """What exists at a path; `target` is a link's text."""

    kind: Kind
    target: str = ""


@dataclass(frozen=True)
class Wanted:
    """One entry of the config and where it leads.

    Attributes:
        path: the entry's path in the config.
        node: the entry.
        place: its path in the target root, links above it resolved.
        found: what is there and will still be there when its turn comes.
        staging: for a file, the directory where its contents can wait; `None` if there is none.
    """

    path: ConfigPath
    node: Entry
    place: str
    found: Found | None = None
    staging: str | None = None

    @property
    def overwrite(self) -> bool:
        """Whether what exists may go."""
        return bool(self.node.overwrite)

    @property
    def is_hard_link(self) -> bool:
        """Whether it is one more name of a file, made after everything else."""
        return isinstance(self.node, Link) and bool(self.node.hard)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """What a file is made of."""
        return tuple(_pieces(self))


@dataclass(frozen=True)
class Facts:
    """What the decision rests on.

    Attributes:
        wanted: the config's entries: directories, files, links.
        troubles: entries whose place cannot be found.
        accounts: users and groups, for owners by name.
        mounts: where file systems of the config are mounted.
    """

    wanted: tuple[Wanted, ...] = ()
    troubles: tuple[Refusal, ...] = ()
    accounts: Accounts = field(default_factory=Accounts)
    mounts: tuple[str, ...] = ()


class Nodes:
    """Everything that `storage` says about files, directories and links."""

    name = "nodes"

    def wanted(self, config: Config) -> bool:
        """Whether the config names any."""
        return bool(config.storage.directories or config.storage.files or config.storage.links)

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """Where each path leads, and what is there."""
        del state
        look = _Look(host.root)
        with host.root.steady():
            for path, node in sorted(_nodes(config), key=lambda each: each[1].path.count("/")):
                look.at(path, node)
        order = {path: number for number, (path, _) in enumerate(_nodes(config))}
        return Facts(
            wanted=tuple(sorted(look.wanted, key=lambda each: order[each.path])),
            troubles=tuple(look.troubles),
            accounts=read_accounts(host.root),
            mounts=tuple(host.root.follow(each.path) for each in config.storage.filesystems if each.path),
        )

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Refuse, or: fetch all, compare, place in order."""
        del config
        refusals = [
            *facts.troubles,
            *_collisions(facts),
            *_conflicts(facts),
            *_owners(facts),
            *_sources(facts),
        ]
        if refusals:
            return Plan(refusals=tuple(refusals))
        ordered = _in_order(facts.wanted)
        pieces = [piece for each in ordered for piece in each.pieces]
        comparisons = [action for each in ordered for action in _comparison(each)]
        placements = [action for each in ordered for action in _placement(each, facts)]
        placed = {action.path for action in placements}
        return Plan(
            actions=_staged(pieces, (*fetches(pieces), *comparisons, *placements)),
            keeps=tuple(f"{each.place} is already there" for each in ordered if each.path not in placed),
        )

    def effects(self, config: Config, facts: Facts, host: Host) -> Iterator[Effect | Refusal]:
        """What happens to each entry."""
        del config
        from ignition.preview import files

        refused = {refusal.path[:3] for refusal in self.plan(Config.empty(), facts).refusals}
        for each in _in_order(facts.wanted):
            if each.path not in refused:
                owner = _ids(each.node, facts.accounts, _unless_said(each))
                yield files.node(each, owner, each.pieces, host)


class _Look:
    """Finds the place of each entry, shallow paths first.

    What an entry further up will take away no longer counts: neither as something that exists, nor as a
    link on the way.
    """

    def __init__(self, root: Root) -> None:
        self.wanted: list[Wanted] = []
        self.troubles: list[Refusal] = []
        self._root = root
        self._parents: dict[str, str] = {}
        self._removed: dict[str, str] = {}
        self._there: dict[str, bool] = {}
        self._staging: dict[str, str | None] = {}

    def at(self, path: ConfigPath, node: Entry) -> None:
        """Look at one entry."""
        try:
            place = self._place(node.path)
            found = self._found(place)
        except (OSError, IgnitionError) as error:
            self.troubles.append(Refusal((*path, "path"), f"{node.path} cannot be reached: {error}"))
            return
        staging = self._staging_for(place) if isinstance(node, File) else None
        self.wanted.append(Wanted(path, node, place, found, staging))
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

    def _found(self, place: str) -> Found | None:
        if any(place.startswith(f"{removed}/") for removed in self._removed.values()):
            return None
        directory = posixpath.dirname(place)
        if directory not in self._there:
            self._there[directory] = self._root.exists(directory)
        status = self._root.find(place) if self._there[directory] else None
        if status is None:
            return None
        kind = Kind.of(status.st_mode)
        return Found(kind, self._root.readlink(place) if kind is Kind.LINK else "")

    def _staging_for(self, place: str) -> str | None:
        directory = posixpath.dirname(place)
        if directory not in self._staging:
            self._staging[directory] = staging_directory(self._root, place, self._removed.values())
        return self._staging[directory]


def _nodes(config: Config) -> Iterator[tuple[ConfigPath, Entry]]:
    """All entries with their config paths, in the order in which ties are settled."""
    storage = config.storage
    lists: tuple[tuple[str, tuple[Entry, ...]], ...] = (
        ("directories", storage.directories),
        ("files", storage.files),
        ("links", storage.links),
    )
    for name, nodes in lists:
        for number, node in enumerate(nodes):
            yield ("storage", name, number), node


def _in_order(wanted: tuple[Wanted, ...]) -> list[Wanted]:
    """Shallow ones first, hard links last in config order. The sort is stable at any length."""
    soft = [each for each in wanted if not each.is_hard_link]
    hard = [each for each in wanted if each.is_hard_link]
    return sorted(soft, key=lambda each: len([part for part in each.place.split("/") if part])) + hard


# What is refused.


def _collisions(facts: Facts) -> Iterator[Refusal]:
    """Entries that lead to one place, or below what another entry makes no directory."""
    first: dict[str, Wanted] = {}
    for each in facts.wanted:
        other = first.setdefault(each.place, each)
        if other is not each:
            says = f"{each.node.path} leads to {each.place}, as {format_path(other.path)} does"
            yield Refusal((*each.path, "path"), says)
    in_the_way: dict[str, list[Wanted]] = {}
    for each in facts.wanted:
        directory = posixpath.dirname(each.place)
        if directory not in in_the_way:
            others = [first[above] for above in (directory, *_above(directory)) if above in first]
            in_the_way[directory] = [other for other in others if not isinstance(other.node, Directory)]
        for other in in_the_way[directory]:
            if other is not each:
                what = f"{other.place}, which {format_path(other.path)} makes no directory"
                yield Refusal((*each.path, "path"), f"{each.place} lies below {what}")


def _above(place: str) -> Iterator[str]:
    while place != "/":
        place = posixpath.dirname(place)
        yield place


def _conflicts(facts: Facts) -> Iterator[Refusal]:
    """Entries that what exists stands in the way of."""
    for each in facts.wanted:
        if each.found and each.overwrite:
            yield from _lost_mounts(each, facts.mounts)
        elif each.found:
            yield from _in_the_way(each, each.found)
        if isinstance(each.node, File) and each.staging is None and any(_resources(each)):
            yield Refusal(each.path, f"{each.place} is on a file system that cannot be written to")


def _lost_mounts(each: Wanted, mounts: tuple[str, ...]) -> Iterator[Refusal]:
    lost = [mount for mount in ("/", *mounts) if f"{mount}/".startswith(f"{each.place.rstrip('/')}/")]
    if each.found and each.found.kind is Kind.DIRECTORY and lost:
        yield Refusal(
            (*each.path, "overwrite"),
            f"{each.place} cannot be overwritten, a file system is mounted at {lost[-1]}",
            "to empty a file system, set wipeFilesystem",
        )


def _in_the_way(each: Wanted, found: Found) -> Iterator[Refusal]:
    hint = "set overwrite: true if it may be replaced"
    match each.node:
        case Directory() if found.kind is not Kind.DIRECTORY:
            yield Refusal(each.path, f"{each.place} is {found.kind.value}, not a directory", hint)
        case File() if found.kind is not Kind.FILE:
            yield Refusal(each.path, f"{each.place} is {found.kind.value}, not a file", hint)
        case Link() if each.is_hard_link:
            if found.kind is Kind.DIRECTORY:
                yield Refusal(each.path, f"{each.place} is a directory", hint)
        case Link() if not _same_link(each.node, found):
            yield Refusal(each.path, f"{each.place} exists and is not that link", hint)
        case _:
            return


def _same_link(link: Link, found: Found) -> bool:
    wanted = posixpath.normpath(link.target or "")
    return found.kind is Kind.LINK and posixpath.normpath(found.target) == wanted


def _owners(facts: Facts) -> Iterator[Refusal]:
    """Owners that do not exist."""
    for each in facts.wanted:
        for word, owner, known in (
            ("user", each.node.user, facts.accounts.users),
            ("group", each.node.group, facts.accounts.groups),
        ):
            if owner.id is not None:
                if not 0 <= owner.id < 2**32 - 1:
                    yield Refusal((*each.path, word, "id"), f"{owner.id} cannot be an id")
            elif owner.name and owner.name not in known:
                hint = f"create it under passwd, or use the {word}'s id"
                yield Refusal(
                    (*each.path, word, "name"),
                    f'there is no {word} "{owner.name}" in the target system',
                    hint,
                )


def _sources(facts: Facts) -> Iterator[Refusal]:
    """Resources that nobody can ask for."""
    for each in facts.wanted:
        for path, resource in _resources(each):
            try:
                source_of(resource)
            except FetchError as error:
                yield Refusal((*path, "httpHeaders"), str(error), error.hint)


# What is done.


def _staged(pieces: list[Piece], actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The actions, inside of staging directories if there is anything to stage."""
    directories = tuple(dict.fromkeys(posixpath.dirname(piece.staged) for piece in pieces))
    return (Staged(("storage",), directories, actions),) if directories else actions


def _resources(each: Wanted) -> Iterator[tuple[ConfigPath, Resource]]:
    """The resources of a file, contents first."""
    if not isinstance(each.node, File):
        return
    if each.node.contents.source is not None:
        yield (*each.path, "contents"), each.node.contents
    for number, fragment in enumerate(each.node.append):
        yield (*each.path, "append", number), fragment


def _pieces(each: Wanted) -> Iterator[Piece]:
    mode = each.node.mode if isinstance(each.node, File) else None
    for path, resource in _resources(each):
        staged = f"{each.staging}/{'-'.join(map(str, path[2:]))}"
        yield Piece(path, each.place, source_of(resource), staged, NEW_FILE if mode is None else mode)


def _comparison(each: Wanted) -> Iterator[Action]:
    """An existing file that may not be overwritten is compared before anything is written."""
    if isinstance(each.node, File) and each.node.contents.source is not None and _stays(each):
        yield ExpectContents(each.path, each.place, each.pieces)


def _stays(each: Wanted) -> bool:
    return each.found is not None and not each.overwrite


def _unless_said(each: Wanted) -> Ids:
    """The owner that it has if the config names none."""
    if _stays(each):
        return SAME
    return NEW_LINK if isinstance(each.node, Link) else NEW


def _placement(each: Wanted, facts: Facts) -> Iterator[Action]:
    owner = _ids(each.node, facts.accounts, _unless_said(each))
    match each.node:
        case Directory():
            yield from _directory(each, each.node, owner)
        case File():
            yield from _file(each, each.node, owner)
        case Link() if each.is_hard_link:
            yield PlaceHardLink(each.path, each.place, each.node.target or "", each.overwrite)
        case Link() if _stays(each):
            # The reference leaves the owner of a link that is right already, against its documentation.
            yield from _permissions(each, owner, None)
        case Link():
            yield PlaceLink(each.path, each.place, each.node.target or "", owner)


def _directory(each: Wanted, node: Directory, owner: Ids) -> Iterator[Action]:
    if _stays(each):
        yield from _permissions(each, owner, node.mode)
    else:
        yield PlaceDirectory(each.path, each.place, owner, node.mode, empty=each.found is not None)


def _file(each: Wanted, node: File, owner: Ids) -> Iterator[Action]:
    pieces = each.pieces
    appends_only = bool(pieces) and node.contents.source is None and not (each.found and each.overwrite)
    if appends_only:
        yield AppendToFile(each.path, each.place, pieces, owner, node.mode)
    elif _stays(each):
        yield from _permissions(each, owner, node.mode)
    else:
        yield PlaceFile(each.path, each.place, pieces, owner, node.mode, each.found is None)


def _permissions(each: Wanted, owner: Ids, mode: int | None) -> Iterator[Action]:
    if owner != SAME or mode is not None:
        yield GivePermissions(each.path, each.place, owner, mode)


def _ids(node: Entry, accounts: Accounts, default: Ids) -> Ids:
    """The ids of an entry's owners; those it does not name are `default`."""
    user, group = default
    if node.user.id is not None:
        user = node.user.id
    elif node.user.name:
        user = accounts.users[node.user.name].uid
    if node.group.id is not None:
        group = node.group.id
    elif node.group.name:
        group = accounts.groups[node.group.name].gid
    return user, group
