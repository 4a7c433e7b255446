# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes with a CEX key, which only the machine's CryptoExpress card can use (IBM Z).

The card generates and protects the volume key, so the passphrase of the volume protects nothing and is not
secret. Rules: docs/reference/stages.md, "disks stage: LUKS" and "files stage".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.system_path import under
from ignition.schemas.storage import Luks
from ignition.text import strerror
from ignition.tools import zkey
from ignition.tools.cryptsetup import VolumeKey
from ignition.url import dataurl

__all__ = ["cards", "key_files", "make_key", "needs", "note_pattern", "passphrase", "state_with_key_files"]

PASSPHRASE: Final = f"{distro.LUKS_KEY_DIRECTORY}/cex.key"
"""The passphrase file in the initramfs, written by its builder; the reference's name."""

CARDS: Final = "/sys/bus/ap/devices"
DOMAIN: Final = re.compile(r"[0-9a-f]{2}\.[0-9a-f]{4}")
"""Name of a card with its domain; other names are whole cards."""
CCA: Final = "cca"
"""The mode of usable cards, in their uevent file."""


def needs(path: ConfigPath) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs, each with the config path that needs it."""
    for program in zkey.PROGRAMS:
        yield program, path


def cards(host: View) -> tuple[str, ...]:
    """Return the cards that can protect a key, as `xx.xxxx`."""
    directory = _place(host, CARDS)
    names = sorted(filter(DOMAIN.fullmatch, os.listdir(directory))) if os.path.isdir(directory) else []
    return tuple(name for name in names if CCA in _values(f"{directory}/{name}/uevent"))


def _values(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.strip().partition("=")[2] for line in file]


def passphrase(host: Host) -> bytes:
    """Return the passphrase of all such volumes, which is not secret.

    Raises:
        IgnitionError: the initramfs has no passphrase file.
    """
    try:
        with open(_place(host, PASSPHRASE), "rb") as file:
            return file.read()
    except OSError as error:
        raise IgnitionError(
            f"cannot read {PASSPHRASE} in the initramfs: {strerror(error)}",
            hint="rebuild the initramfs with the dracut module ignition on s390x",
        ) from error


def make_key(host: Host, volume: Luks, usable: tuple[str, ...]) -> VolumeKey:
    """Return the volume key; generate it unless an earlier run of this boot did."""
    os.makedirs(_place(host, distro.CEX_KEY_REPOSITORY), mode=0o700, exist_ok=True)
    files = [f"{distro.CEX_KEY_REPOSITORY}/{name}" for name in key_files(volume)]
    if not all(os.path.exists(_place(host, file)) for file in files):
        host.run(zkey.generate(_key_name(volume), volume.name, usable))
    return VolumeKey(files[1], os.stat(_place(host, files[1])).st_size, zkey.CIPHER)


def note_pattern(host: Host, alias: str, volume: Luks) -> None:
    """Store the verification pattern of the key in the volume."""
    host.run(zkey.set_pattern(alias, volume.name, PASSPHRASE))


def state_with_key_files(host: Host, volume: Luks) -> State:
    """Return the key files for the zkey repository of the target root."""
    keys = {}
    for name in key_files(volume):
        with open(_place(host, f"{distro.CEX_KEY_REPOSITORY}/{name}"), "rb") as file:
            keys[name] = dataurl.encode(file.read())
    return State(luks_volume_keys=keys)


def key_files(volume: Luks) -> tuple[str, str]:
    """Return the file names of the volume key in the repository: its description and the key."""
    return f"{_key_name(volume)}.info", f"{_key_name(volume)}.skey"


def _key_name(volume: Luks) -> str:
    return f"ignition-luks-{volume.name}"


def _place(host: View, path: str) -> str:
    return under(host.system, path)
