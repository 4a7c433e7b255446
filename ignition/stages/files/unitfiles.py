"""Unit files of the target root: where a unit's name leads, and what will start it.

Directories and precedence: systemd.unit(5), without those below `/run`, which do not outlive the initramfs.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ignition.host.root import Root
from ignition.schemas.unitfile import MalformedUnit, parse_unit

__all__ = ["UNITS", "Installed", "generator_source", "instance_of", "lookup"]

UNITS: Final = "/etc/systemd/system"
DIRECTORIES: Final = (
    UNITS,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
STARTERS: Final = (".wants", ".requires", ".upholds")
"""The directories in which a link means: start this unit."""

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
        linked: something starts it already.
    """

    name: str
    masked: bool = False
    installable: bool = True
    needs_instance: bool = False
    linked: bool = False


def instance_of(name: str) -> tuple[str, str] | None:
    """`("getty@.service", "tty1")` for `getty@tty1.service`; `None` if the name holds no `@`.

    The instance is what stands between the first `@` and the last dot.
    """
    prefix, at, rest = name.partition("@")
    if not at:
        return None
    instance, _, extension = rest.rpartition(".")
    return f"{prefix}@.{extension}", instance


def lookup(root: Root, name: str) -> Installed | None:
    """The unit of this name: its own file, its template's, or another unit of which it is an alias."""
    own = _own_name(root, name) or _declared_alias(root, name)
    if own is None:
        return None
    files = list(_files(root, own))
    if any(_is_mask(root, path) for path in files[:1]):
        return Installed(own, masked=True)
    options = _install_options(root, own, files[0])
    split = instance_of(own)
    return Installed(
        own,
        installable=options is None or bool(options - {"DefaultInstance"}),
        needs_instance=split is not None
        and not split[1]
        and options is not None
        and "DefaultInstance" not in options,
        linked=_is_linked(root, own),
    )


def generator_source(root: Root, name: str) -> str | None:
    """The file from which systemd's generators will make this unit at boot; `None` if there is none."""
    stem, _, extension = name.rpartition(".")
    if extension in {"mount", "automount"}:
        listed = (fields[1] for fields in _table(root, "/etc/fstab", 3) if fields[1].startswith("/"))
        return "/etc/fstab" if stem in map(_escape_path, listed) else None
    if extension == "swap":
        listed = (fields[0] for fields in _table(root, "/etc/fstab", 3) if fields[2] == "swap")
        return "/etc/fstab" if stem in map(_escape_path, listed) else None
    if name.startswith("systemd-cryptsetup@"):
        volumes = (_escape(fields[0]).replace("/", "-") for fields in _table(root, "/etc/crypttab", 2))
        return "/etc/crypttab" if stem.partition("@")[2] in volumes else None
    return None


def _own_name(root: Root, name: str) -> str | None:
    """Follow aliases from name to name; `None` if it ends at nothing."""
    for _ in range(MOST_ALIASES):
        path = next(_files(root, name), None)
        if path is None:
            return None
        target = _alias_target(root, path)
        if target is None or target == posixpath.basename(path):
            return name
        name = _instantiated(target, name)
    return None


def _files(root: Root, name: str) -> Iterator[str]:
    """The unit files for a name in order of precedence, its template's last."""
    split = instance_of(name)
    for candidate in (name, split[0]) if split and split[1] else (name,):
        for directory in DIRECTORIES:
            if root.exists(path := f"{directory}/{candidate}"):
                yield path


def _alias_target(root: Root, path: str) -> str | None:
    """The unit name that a unit file leads to if it is a link to another unit; `None` otherwise."""
    if not stat.S_ISLNK(root.lstat(path).st_mode) or _is_mask(root, path):
        return None
    return posixpath.basename(root.readlink(path))


def _instantiated(target: str, name: str) -> str:
    """An alias of a template names the same instance of that template."""
    split, wanted = instance_of(target), instance_of(name)
    if split is None or split[1] or wanted is None:
        return target
    return target.replace("@.", f"@{wanted[1]}.", 1)


def _is_mask(root: Root, path: str) -> bool:
    """A link to `/dev/null`, or an empty file; source: systemd.unit(5)."""
    status = root.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return posixpath.normpath(root.readlink(path)).endswith("/dev/null")
    return status.st_size == 0


def _install_options(root: Root, name: str, path: str) -> frozenset[str] | None:
    """The options in the `[Install]` sections of a unit and its drop-ins; `None` if a file is unreadable."""
    found: set[str] = set()
    for file in (path, *_dropins(root, name)):
        try:
            options = parse_unit(root.read_text(file))
        except (FileNotFoundError, MalformedUnit):
            return None
        found.update(option.name for option in options if option.section == "Install")
    return frozenset(found)


def _dropins(root: Root, name: str) -> Iterator[str]:
    split = instance_of(name)
    names = dict.fromkeys((name, *(split[:1] if split else ())))
    for directory in (f"{above}/{each}.d" for each in names for above in DIRECTORIES):
        yield from (f"{directory}/{file}" for file in _listed(root, directory) if file.endswith(".conf"))


def _is_linked(root: Root, name: str) -> bool:
    """Whether anything in `/etc` that `systemctl disable` would remove leads to the unit.

    For a template without an instance, any of its instances counts.
    """
    for entry in _listed(root, UNITS):
        path = f"{UNITS}/{entry}"
        if entry.endswith(STARTERS):
            started = _listed(root, path)
            if name in started or name in (split[0] for split in map(instance_of, started) if split):
                return True
        elif entry != name and _alias_target(root, path) == name:
            return True
    return False


def _declared_alias(root: Root, name: str) -> str | None:
    """The unit that will have this name once it is enabled, by an `Alias=` in its `[Install]` section."""
    for directory in DIRECTORIES:
        for file in _listed(root, directory):
            path = f"{directory}/{file}"
            if root.is_file(path) and name in _aliases(root.read_text(path)):
                return file
    return None


def _aliases(text: str) -> list[str]:
    lines = (line.partition("=") for line in text.split("\n") if line.startswith("Alias"))
    return [word for key, _, value in lines if key.strip() == "Alias" for word in value.split()]


def _listed(root: Root, directory: str) -> list[str]:
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
