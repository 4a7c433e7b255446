# SPDX-License-Identifier: Apache-2.0
"""Units that systemd's and Podman's generators create at boot."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from ignition.host.files.root_view import RootView
from ignition.stages.files.systemd.directories import names_in

__all__ = ["generator_source"]

QUADLETS: Final = ("/etc/containers/systemd", "/usr/share/containers/systemd")
QUADLET_UNITS: Final = {
    "container": "", "kube": "", "volume": "-volume", "network": "-network", "pod": "-pod", "image": "-image",
    "build": "-build",
}  # fmt: skip
"""Kind of a file for Podman's generator → what its service's name ends in; source: podman-systemd.unit(5)."""
PLAIN: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:_.")


def generator_source(root: RootView, name: str) -> str | None:
    """Return the file from which a generator creates this unit at boot; None if there is none."""
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


def _quadlets(root: RootView) -> Iterator[tuple[str, str]]:
    """Yield the quadlet files, each with the stem of the service that Podman's generator creates from it."""
    for directory in QUADLETS:
        for file in names_in(root, directory):
            stem, _, kind = file.rpartition(".")
            if kind in QUADLET_UNITS:
                yield f"{directory}/{file}", stem + QUADLET_UNITS[kind]


def _table(root: RootView, path: str, fields: int) -> Iterator[list[str]]:
    """Yield the lines of a table such as fstab that have at least `fields` fields."""
    try:
        text = root.read_text(path)
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        split = line.split()
        if len(split) >= fields and not split[0].startswith("#"):
            yield split


def _device(field: str) -> str:
    """Return the path of a device in fstab, also for a tag such as `LABEL=swap`."""
    tag, equals, value = field.partition("=")
    known = equals and tag in {"LABEL", "UUID", "PARTLABEL", "PARTUUID"}
    return f"/dev/disk/by-{tag.lower()}/" + value.strip('"') if known else field


def _escape_path(path: str) -> str:
    """Escape like `systemd-escape --path`."""
    trimmed = posixpath.normpath(path).strip("/")
    return _escape(trimmed).replace("/", "-") if trimmed else "-"


def _escape(text: str) -> str:
    """Escape like `systemd-escape`, except for slashes."""
    raw = text.encode("utf-8", "surrogateescape")
    plain = [chr(byte) if chr(byte) in PLAIN or byte == ord("/") else f"\\x{byte:02x}" for byte in raw]
    if plain and plain[0] == ".":
        plain[0] = "\\x2e"
    return "".join(plain)
