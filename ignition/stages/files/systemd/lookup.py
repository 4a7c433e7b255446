# SPDX-License-Identifier: Apache-2.0
"""Look up units in the target root: resolve names and aliases, find the symlinks that start them.

Directories and precedence: systemd.unit(5), without those below `/run`, which do not outlive the initramfs.
"""

from __future__ import annotations

import posixpath
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ignition.host.files.root_view import RootView
from ignition.schemas.unitfile import install_options
from ignition.stages.files.systemd.directories import names_in
from ignition.stages.files.systemd.presets import instance_of

__all__ = ["UNITS", "InstalledUnit", "UnitFiles", "escaping_link"]

UNITS: Final = "/etc/systemd/system"
DIRECTORIES: Final = (
    UNITS,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
STARTERS: Final = (".wants", ".requires", ".upholds")
"""Suffixes of directories whose symlinks start units."""

LINKING: Final = ("WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also")
"""Options of an `[Install]` section that give enabling a unit an effect."""

SCRIPTS: Final = tuple(f"/etc/rc{level}.d" for level in (2, 3, 4, 5))
"""Directories of symlinks to System V scripts, see systemd-sysv-generator(8)."""


MOST_ALIASES: Final = 8


@dataclass(frozen=True)
class InstalledUnit:
    """A unit of the target root.

    Attributes:
        name: the unit's own name with aliases resolved, as systemctl takes it.
        masked: whether it is masked.
        installable: whether an `[Install]` section gives enabling it an effect.
        needs_instance: whether it is a template without a default instance.
        is_default: whether it is the default instance of its template.
        linked: whether a symlink in `/etc` starts it.
        pinned: the symlink outside `/etc` that starts it in any case; "" if there is none.
    """

    name: str
    masked: bool = False
    installable: bool = True
    needs_instance: bool = False
    is_default: bool = False
    linked: bool = False
    pinned: str = ""


class UnitFiles:
    """The units of a target root; directories are listed once and remembered."""

    def __init__(self, root: RootView) -> None:
        self.root = root
        self._names: dict[str, dict[str, None]] = {}

    def lookup(self, name: str) -> InstalledUnit | None:
        """Return the unit of this name, from its own file, its template, or an alias; None if not found."""
        own = self._own_name(name) or self._declared.get(name)
        if own is None:
            script = self._scripts.get(name)
            return InstalledUnit(name, installable=False, pinned=script) if script else None
        path = next(self._files(own))
        if self._is_mask(path):
            return InstalledUnit(own, masked=True)
        if not self.root.is_file(path):
            return None
        install = self._install(own, path)
        split = instance_of(own)
        default = install.get("DefaultInstance", ())[-1:]
        return InstalledUnit(
            own,
            installable=any(install.get(option) for option in LINKING),
            needs_instance=split is not None and not split[1] and not default,
            is_default=split is not None and split[1] in default,
            linked=bool(self.links(own)),
            pinned=self._pinned.get(own, ""),
        )

    def _own_name(self, name: str) -> str | None:
        """Resolve aliases; None if no unit file is found."""
        for _ in range(MOST_ALIASES):
            path = next(self._files(name), None)
            if path is None:
                return None
            target = self._alias_target(path)
            following = _instantiated(target, name) if target else name
            if following == name or target == posixpath.basename(path):
                return name
            name = following
        return None

    def _files(self, name: str) -> Iterator[str]:
        """Yield the unit files for a name in order of precedence, the template's last."""
        split = instance_of(name)
        for candidate in (name, split[0]) if split and split[1] else (name,):
            for directory in DIRECTORIES:
                if candidate in self._listed(directory):
                    yield f"{directory}/{candidate}"

    def _alias_target(self, path: str) -> str | None:
        """Return the unit name of a symlink to another unit file; None for anything else.

        A symlink to a file outside the unit directories is a unit of its own name.
        """
        if not stat.S_ISLNK(self.root.lstat(path).st_mode) or self._is_mask(path):
            return None
        directory, name = posixpath.split(_target(path, self.root.readlink(path)))
        return name if directory in DIRECTORIES else None

    def _is_mask(self, path: str) -> bool:
        """Whether it is a symlink to `/dev/null` or an empty file, see systemd.unit(5)."""
        status = self.root.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return posixpath.normpath(self.root.readlink(path)).endswith("/dev/null")
        return status.st_size == 0

    # Contents of unit files.

    def _install(self, name: str, path: str) -> Mapping[str, list[str]]:
        """Return the words of each `[Install]` option of a unit and its drop-ins."""
        found: dict[str, list[str]] = defaultdict(list)
        for file in (path, *self._dropins(name)):
            for option, words in install_options(self.root.read_text(file)):
                found[option] = [*found[option], *words] if words else []
        return found

    def _dropins(self, name: str) -> list[str]:
        """Return the drop-ins in the order in which they are read; a name hides lower ones of that name."""
        split = instance_of(name)
        found: dict[str, str] = {}
        for each in dict.fromkeys((name, *(split[:1] if split else ()))):
            for directory in (f"{above}/{each}.d" for above in DIRECTORIES):
                for file in self._listed(directory):
                    if file.endswith(".conf"):
                        found.setdefault(file, f"{directory}/{file}")
        return [found[file] for file in sorted(found) if self.root.is_file(found[file])]

    @cached_property
    def _declared(self) -> Mapping[str, str]:
        """Alias from `Alias=` → the unit that gets this name when it is enabled."""
        found: dict[str, str] = {}
        for directory in DIRECTORIES:
            for file in self._listed(directory):
                path = f"{directory}/{file}"
                text = self.root.read_text(path) if self.root.is_file(path) else ""
                for option, words in install_options(text) if "Alias" in text else ():
                    if option == "Alias":
                        found = dict.fromkeys(words, file) | found
        return found

    # Symlinks that start units.

    def links(self, name: str) -> list[str]:
        """Return the symlinks in `/etc` that `systemctl disable` removes, also those of instances."""
        return self._links.get(name, [])

    @cached_property
    def _links(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, link in (*self._started(UNITS), *self._aliased()):
            split = instance_of(name)
            for each in {name, split[0] if split else name}:
                found.setdefault(each, []).append(link)
        return found

    def _aliased(self) -> Iterator[tuple[str, str]]:
        for entry in self._listed(UNITS):
            other = None if entry.endswith(STARTERS) else self._alias_target(f"{UNITS}/{entry}")
            if other and other != entry:
                yield other, f"{UNITS}/{entry}"

    @cached_property
    def _pinned(self) -> Mapping[str, str]:
        """Unit → the symlink outside `/etc` that starts it."""
        return {
            name: link for directory in reversed(DIRECTORIES[1:]) for name, link in self._started(directory)
        }

    def _started(self, directory: str) -> Iterator[tuple[str, str]]:
        """Yield the units that symlinks below a directory start, with the symlinks."""
        for below in self._listed(directory):
            if below.endswith(STARTERS):
                for entry in self._listed(f"{directory}/{below}"):
                    link = f"{directory}/{below}/{entry}"
                    if not self._is_mask(link):
                        yield from ((name, link) for name in {entry, self._own_name(entry) or entry})

    @cached_property
    def _scripts(self) -> Mapping[str, str]:
        """Unit → the symlink that starts its System V script."""
        return {
            f"{link[3:].removesuffix('.sh')}.service": f"{directory}/{link}"
            for directory in SCRIPTS
            for link in self._listed(directory)
            if link.startswith("S") and link[1:3].isdecimal()
        }

    def _listed(self, directory: str) -> Mapping[str, None]:
        if directory not in self._names:
            self._names[directory] = dict.fromkeys(names_in(self.root, directory))
        return self._names[directory]


def escaping_link(root: RootView) -> str | None:
    """Return a directory that `systemctl --root` would resolve outside of the target root, or None.

    systemctl resolves these paths in the running system, where an absolute symlink has another target.
    """
    names = [f"/{name}" for name in names_in(root, UNITS) if name.endswith(STARTERS)]
    found = (f"{UNITS}{name}" for name in ("", *names))
    return None if root.path == "/" else next((each for each in found if _escapes(root, each)), None)


def _escapes(root: RootView, path: str) -> bool:
    place = "/"
    for part in path.strip("/").split("/"):
        place = posixpath.join(place, part)
        found = root.find(place)
        if found and stat.S_ISLNK(found.st_mode):
            text = root.readlink(place)
            relative = posixpath.normpath(posixpath.join(posixpath.dirname(place)[1:], text))
            if relative.startswith("/") or relative.split("/")[0] == ".." or _escapes(root, relative):
                return True
            place = f"/{relative}"
    return False


def _instantiated(target: str, name: str) -> str:
    """Return the instance of a template for an alias of it; other targets unchanged."""
    split, wanted = instance_of(target), instance_of(name)
    if split is None or split[1] or wanted is None:
        return target
    return target.replace("@.", f"@{wanted[1]}.", 1)


def _target(path: str, text: str) -> str:
    """Return the path to which a symlink with this text points, one step."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
