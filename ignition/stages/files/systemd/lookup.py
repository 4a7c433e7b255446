"""Unit files of the target root: where a unit's name leads, and what will start it.

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

from ignition.host.root import Root

__all__ = ["UNITS", "Installed", "UnitFiles", "generator_source", "instance_of", "led_out"]

UNITS: Final = "/etc/systemd/system"
DIRECTORIES: Final = (
    UNITS,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
STARTERS: Final = (".wants", ".requires", ".upholds")
"""The directories in which a link means: start this unit."""

LINKING: Final = ("WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also")
"""The options of an `[Install]` section by which enabling a unit does anything."""

SCRIPTS: Final = tuple(f"/etc/rc{level}.d" for level in (2, 3, 4, 5))
"""Where links start scripts of System V; source: systemd-sysv-generator(8)."""

QUADLETS: Final = ("/etc/containers/systemd", "/usr/share/containers/systemd")
QUADLET_UNITS: Final = {
    "container": "", "kube": "", "volume": "-volume", "network": "-network", "pod": "-pod", "image": "-image",
    "build": "-build",
}  # fmt: skip
"""Kind of a file for Podman's generator → what its service's name ends in; source: podman-systemd.unit(5)."""

MOST_ALIASES: Final = 8
PLAIN: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:_.")


@dataclass(frozen=True)
class Installed:
    """A unit that the root has.

    Attributes:
        name: the unit's own name, aliases resolved; what systemctl takes.
        masked: it can never be started.
        installable: its files say what is to start it once it is enabled.
        needs_instance: it is a template that names no instance of its own.
        is_default: it is the instance that its template names.
        linked: something in `/etc` starts it already.
        pinned: what starts it whether it is enabled or not; "" if nothing does.
    """

    name: str
    masked: bool = False
    installable: bool = True
    needs_instance: bool = False
    is_default: bool = False
    linked: bool = False
    pinned: str = ""


def instance_of(name: str) -> tuple[str, str] | None:
    """`("getty@.service", "tty1")` for `getty@tty1.service`; `None` if the name holds no `@`.

    The instance is what stands between the first `@` and the last dot.
    """
    prefix, at, rest = name.partition("@")
    if not at:
        return None
    instance, _, extension = rest.rpartition(".")
    return f"{prefix}@.{extension}", instance


class UnitFiles:
    """The units of a root, as they are when they are first asked for."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self._names: dict[str, dict[str, None]] = {}

    def lookup(self, name: str) -> Installed | None:
        """The unit of this name: its own file, its template's, or another unit of which it is an alias."""
        own = self._own_name(name) or self._declared.get(name)
        if own is None:
            script = self._scripts.get(name)
            return Installed(name, installable=False, pinned=script) if script else None
        path = next(self._files(own))
        if self._is_mask(path):
            return Installed(own, masked=True)
        if not self.root.is_file(path):
            return None
        install = self._install(own, path)
        split = instance_of(own)
        default = install.get("DefaultInstance", ())[-1:]
        return Installed(
            own,
            installable=any(install.get(option) for option in LINKING),
            needs_instance=split is not None and not split[1] and not default,
            is_default=split is not None and split[1] in default,
            linked=bool(self.links(own)),
            pinned=self._pinned.get(own, ""),
        )

    def _own_name(self, name: str) -> str | None:
        """Follow aliases from name to name; `None` if it ends at nothing."""
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
        """The unit files for a name in order of precedence, its template's last."""
        split = instance_of(name)
        for candidate in (name, split[0]) if split and split[1] else (name,):
            for directory in DIRECTORIES:
                if candidate in self._listed(directory):
                    yield f"{directory}/{candidate}"

    def _alias_target(self, path: str) -> str | None:
        """The unit name that a unit file leads to if it is a link to another unit; `None` otherwise.

        A link to a file elsewhere is a unit of its own name, whatever the file is called.
        """
        if not stat.S_ISLNK(self.root.lstat(path).st_mode) or self._is_mask(path):
            return None
        directory, name = posixpath.split(_target(path, self.root.readlink(path)))
        return name if directory in DIRECTORIES else None

    def _is_mask(self, path: str) -> bool:
        """A link to `/dev/null`, or an empty file; source: systemd.unit(5)."""
        status = self.root.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return posixpath.normpath(self.root.readlink(path)).endswith("/dev/null")
        return status.st_size == 0

    # What its files say.

    def _install(self, name: str, path: str) -> Mapping[str, list[str]]:
        """The words of each option in the `[Install]` sections of a unit and its drop-ins."""
        found: dict[str, list[str]] = defaultdict(list)
        for file in (path, *self._dropins(name)):
            for option, words in _install_section(self.root.read_text(file)):
                found[option] = [*found[option], *words] if words else []
        return found

    def _dropins(self, name: str) -> list[str]:
        """In the order in which they are read; one of a name hides another of that name further down."""
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
        """Alias → the unit that will have this name once it is enabled, by `Alias=` in `[Install]`."""
        found: dict[str, str] = {}
        for directory in DIRECTORIES:
            for file in self._listed(directory):
                path = f"{directory}/{file}"
                text = self.root.read_text(path) if self.root.is_file(path) else ""
                for option, words in _install_section(text) if "Alias" in text else ():
                    if option == "Alias":
                        found = dict.fromkeys(words, file) | found
        return found

    # What starts it.

    def links(self, name: str) -> list[str]:
        """What `systemctl disable` would remove in `/etc` of a unit, for a template also of its instances."""
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
        """Unit → the link outside `/etc` that starts it."""
        return {
            name: link for directory in reversed(DIRECTORIES[1:]) for name, link in self._started(directory)
        }

    def _started(self, directory: str) -> Iterator[tuple[str, str]]:
        """The units that links below a directory start, with the links."""
        for below in self._listed(directory):
            if below.endswith(STARTERS):
                for entry in self._listed(f"{directory}/{below}"):
                    link = f"{directory}/{below}/{entry}"
                    if not self._is_mask(link):
                        yield from ((name, link) for name in {entry, self._own_name(entry) or entry})

    @cached_property
    def _scripts(self) -> Mapping[str, str]:
        """Unit → the link that starts its script of System V."""
        return {
            f"{link[3:].removesuffix('.sh')}.service": f"{directory}/{link}"
            for directory in SCRIPTS
            for link in self._listed(directory)
            if link.startswith("S") and link[1:3].isdecimal()
        }

    def _listed(self, directory: str) -> Mapping[str, None]:
        """The names in a directory, in order."""
        if directory not in self._names:
            self._names[directory] = dict.fromkeys(_names_in(self.root, directory))
        return self._names[directory]


def led_out(root: Root) -> str | None:
    """A directory of links that `systemctl --root` would look for outside of the root, if there is one.

    It has the running system resolve them, and there an absolute link leads elsewhere.
    """
    names = [f"/{name}" for name in _names_in(root, UNITS) if name.endswith(STARTERS)]
    found = (f"{UNITS}{name}" for name in ("", *names))
    return None if root.path == "/" else next((each for each in found if _leads_out(root, each)), None)


def _leads_out(root: Root, path: str) -> bool:
    place = "/"
    for part in path.strip("/").split("/"):
        place = posixpath.join(place, part)
        found = root.find(place)
        if found and stat.S_ISLNK(found.st_mode):
            text = root.readlink(place)
            relative = posixpath.normpath(posixpath.join(posixpath.dirname(place)[1:], text))
            if relative.startswith("/") or relative.split("/")[0] == ".." or _leads_out(root, relative):
                return True
            place = f"/{relative}"
    return False


def generator_source(root: Root, name: str) -> str | None:
    """The file from which generators will make this unit at boot; `None` if there is none."""
    stem, _, extension = name.rpartition(".")
    if extension in {"mount", "automount"}:
        listed = (fields[1] for fields in _table(root, "/etc/fstab", 3) if fields[1].startswith("/"))
        return "/etc/fstab" if stem in map(_escape_path, listed) else None
    if extension == "swap":
        listed = (_device(fields[0]) for fields in _table(root, "/etc/fstab", 3) if fields[2] == "swap")
        return "/etc/fstab" if stem in map(_escape_path, listed) else None
    if name.startswith("systemd-cryptsetup@"):
        volumes = (_escape(fields[0]).replace("/", "-") for fields in _table(root, "/etc/crypttab", 2))
        return "/etc/crypttab" if stem.partition("@")[2] in volumes else None
    if extension == "service":
        return next((file for file, made in _quadlets(root) if made == stem), None)
    return None


def _quadlets(root: Root) -> Iterator[tuple[str, str]]:
    """The files for Podman's generator, and the stem of the service that it makes of each."""
    for directory in QUADLETS:
        for file in _names_in(root, directory):
            stem, _, kind = file.rpartition(".")
            if kind in QUADLET_UNITS:
                yield f"{directory}/{file}", stem + QUADLET_UNITS[kind]


def _instantiated(target: str, name: str) -> str:
    """An alias of a template names the same instance of that template."""
    split, wanted = instance_of(target), instance_of(name)
    if split is None or split[1] or wanted is None:
        return target
    return target.replace("@.", f"@{wanted[1]}.", 1)


def _target(path: str, text: str) -> str:
    """Where a link with this text leads, one step."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), text))


def _install_section(text: str) -> Iterator[tuple[str, list[str]]]:
    """The options in the `[Install]` sections of a text, with their words; none set an option back."""
    section = whole = ""
    for line in text.split("\n"):
        if line.strip().startswith(("#", ";")):
            continue
        whole += line.strip()
        if whole.endswith("\\"):
            whole = f"{whole[:-1]} "
            continue
        option, equals, words = whole.partition("=")
        if whole.startswith("["):
            section = whole
        elif equals and section == "[Install]":
            yield option.strip(), words.split()
        whole = ""


def _names_in(root: Root, directory: str) -> list[str]:
    try:
        return root.list(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _table(root: Root, path: str, fields: int) -> Iterator[list[str]]:
    """The lines of a table like fstab that have at least so many fields."""
    try:
        text = root.read_text(path)
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        split = line.split()
        if len(split) >= fields and not split[0].startswith("#"):
            yield split


def _device(field: str) -> str:
    """The path of a device of fstab, also of one that is named by a tag: `LABEL=swap`."""
    tag, equals, value = field.partition("=")
    known = equals and tag in {"LABEL", "UUID", "PARTLABEL", "PARTUUID"}
    return f"/dev/disk/by-{tag.lower()}/" + value.strip('"') if known else field


def _escape_path(path: str) -> str:
    """As `systemd-escape --path`."""
    trimmed = posixpath.normpath(path).strip("/")
    return _escape(trimmed).replace("/", "-") if trimmed else "-"


def _escape(text: str) -> str:
    """As `systemd-escape`, slashes left for the caller."""
    raw = text.encode("utf-8", "surrogateescape")
    plain = [chr(byte) if chr(byte) in PLAIN or byte == ord("/") else f"\\x{byte:02x}" for byte in raw]
    if plain and plain[0] == ".":
        plain[0] = "\\x2e"
    return "".join(plain)
