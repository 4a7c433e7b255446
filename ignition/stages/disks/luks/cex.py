"""Encrypted volumes whose key only the machine's own crypto card can use: CryptoExpress, on IBM Z.

The volume key is made by the card and protected by it, so the passphrase of the volume protects nothing and
is a text that everybody may know. Rules: engine.md 9.3.3 (points 1, 4 and 5) and 9.5 (point 7).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from ignition import dataurl, distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.schemas.storage import Luks
from ignition.tools import zkey
from ignition.tools.cryptsetup import VolumeKey

__all__ = ["cards", "key_files", "make_key", "needs", "note_pattern", "passphrase", "state_with_key_files"]

PASSPHRASE: Final = f"{distro.LUKS_KEY_DIRECTORY}/cex.key"
"""In the initramfs, from its builder; the reference's name."""

CARDS: Final = "/sys/bus/ap/devices"
DOMAIN: Final = re.compile(r"[0-9a-f]{2}\.[0-9a-f]{4}")
"""A card and its domain; what has other names is the card as a whole."""
CCA: Final = "cca"
"""The mode of cards that can do this, in their uevent."""


def needs(path: ConfigPath) -> Iterator[tuple[str, ConfigPath]]:
    """The programs, each with the place in the config that asks for it."""
    for program in zkey.PROGRAMS:
        yield program, path


def cards(host: Host) -> tuple[str, ...]:
    """The cards that can protect a key, as `xx.xxxx`."""
    directory = _place(host, CARDS)
    names = sorted(filter(DOMAIN.fullmatch, os.listdir(directory))) if os.path.isdir(directory) else []
    return tuple(name for name in names if CCA in _values(f"{directory}/{name}/uevent"))


def _values(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.strip().partition("=")[2] for line in file]


def passphrase(host: Host) -> bytes:
    """The passphrase of all such volumes; no secret.

    Raises:
        IgnitionError: the initramfs has none.
    """
    try:
        with open(_place(host, PASSPHRASE), "rb") as file:
            return file.read()
    except OSError as error:
        raise IgnitionError(
            f"there is no {PASSPHRASE} in the initramfs: {error.strerror}",
            hint="dracut's module ignition puts it there on s390x",
        ) from error


def make_key(host: Host, volume: Luks, usable: tuple[str, ...]) -> VolumeKey:
    """The volume key, made if an earlier run of this boot has not made it."""
    os.makedirs(_place(host, distro.CEX_KEY_REPOSITORY), mode=0o700, exist_ok=True)
    files = [f"{distro.CEX_KEY_REPOSITORY}/{name}" for name in key_files(volume)]
    if not all(os.path.exists(_place(host, file)) for file in files):
        host.run(zkey.generate(_key_name(volume), volume.name, usable))
    return VolumeKey(files[1], os.stat(_place(host, files[1])).st_size, zkey.CIPHER)


def note_pattern(host: Host, alias: str, volume: Luks) -> None:
    """Note in the volume how its key can be recognised."""
    host.run(zkey.set_pattern(alias, volume.name, PASSPHRASE))


def state_with_key_files(host: Host, volume: Luks) -> State:
    """The key's files, for the installed system's repository."""
    keys = {}
    for name in key_files(volume):
        with open(_place(host, f"{distro.CEX_KEY_REPOSITORY}/{name}"), "rb") as file:
            keys[name] = dataurl.encode(file.read())
    return State(luks_volume_keys=keys)


def key_files(volume: Luks) -> tuple[str, str]:
    """The names of the files that make up the volume's key in the repository: about it, and itself."""
    return f"{_key_name(volume)}.info", f"{_key_name(volume)}.skey"


def _key_name(volume: Luks) -> str:
    return f"ignition-luks-{volume.name}"


def _place(host: Host, path: str) -> str:
    return host.system.rstrip("/") + path
