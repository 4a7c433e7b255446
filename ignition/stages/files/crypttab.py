# SPDX-License-Identifier: Apache-2.0
"""The step that writes LUKS keys to `/etc/luks` and one line for each volume to `/etc/crypttab`.

systemd-cryptsetup-generator creates units from the lines, which open the volumes at every boot (crypttab(5);
docs/reference/stages.md, "files stage"). The first word identifies a line, so a second run finds its own
lines; the reference adds them again. An existing key is never replaced by another one.

A volume that Clevis unlocks has no key file. A volume with a CEX key has two: in `/etc/luks` the passphrase
that systemd gives to cryptsetup, and in the zkey repository the secure key, which only the card can use.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import Refusal, StateError
from ignition.host import Host, View
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.stages.disks.luks import cex, clevis
from ignition.tools import cryptsetup

__all__ = ["Crypttab", "CrypttabFacts", "WriteCrypttab", "WriteKey", "key_file", "line_for", "with_lines"]

PATH: ConfigPath = ("storage", "luks")
TABLE: Final = "/etc/crypttab"
PRIVATE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700
NO_KEY: Final = "none"
"""Key field of a volume that Clevis unlocks: the prompt for its key is answered by Clevis."""


@dataclass(frozen=True)
class CrypttabFacts:
    """Facts about the LUKS volumes and the target root's keys.

    Attributes:
        uuids: the UUIDs of the volumes, in config order.
        keys: key file path → the key that the disks stage persisted. Secret.
        there: key file path → the key that exists in the target root. Secret.
        table: the text of `/etc/crypttab`; None if it does not exist.
    """

    uuids: tuple[str, ...]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    there: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    table: str | None = None


@dataclass(frozen=True)
class WriteKey:
    """Write a key file of a LUKS volume."""

    path: ConfigPath
    name: str
    file: str
    key: bytes = field(repr=False)

    secret: ClassVar = True

    def describe(self) -> str:
        return f'writing the key of LUKS volume "{self.name}" to "{self.file}"'

    def perform(self, host: Host) -> None:
        """Write it, and its directory if that is new, accessible by root only."""
        directory = posixpath.dirname(self.file)
        host.root.make_directories(posixpath.dirname(directory))
        host.root.make_directories(directory, PRIVATE_DIRECTORY)
        host.root.write(self.file, self.key, mode=PRIVATE)


@dataclass(frozen=True)
class WriteCrypttab:
    """Write /etc/crypttab."""

    text: str
    path: ConfigPath = PATH

    def describe(self) -> str:
        return f'writing "{TABLE}"'

    def perform(self, host: Host) -> None:
        """Write it atomically, accessible by root only."""
        host.root.write(TABLE, self.text.encode("utf-8", "surrogateescape"), mode=PRIVATE)


class Crypttab:
    """The step that makes the running system open the volumes of the config."""

    name = "crypttab"

    def wanted(self, config: Config) -> bool:
        return bool(config.storage.luks)

    def observe(self, config: Config, host: View, state: State) -> CrypttabFacts:
        """Read the volumes' UUIDs, the persisted keys, and the key files of the target root.

        Raises:
            StateError: a key was not persisted and has no file from an earlier run.
        """
        root, volumes = host.root, config.storage.luks
        left: dict[str, bytes] = {}
        there: dict[str, bytes] = {}
        for index, volume in enumerate(volumes):
            for path, key in _keys(volume, state):
                if root.is_file(path):
                    there[path] = root.read(path)
                elif key is None:
                    name = volume.name
                    error = StateError(f'the state has no key for LUKS volume "{name}"')
                    error.path = (*PATH, index)
                    raise error
                if key is not None:
                    left[path] = key
        aliases = [host.devices.alias(volume.device or "") for volume in volumes]
        return CrypttabFacts(
            uuids=tuple(host.run(cryptsetup.uuid(alias)).stdout.strip() for alias in aliases),
            keys=left,
            there=there,
            table=root.read_text(TABLE) if root.is_file(TABLE) else None,
        )

    def plan(self, config: Config, facts: CrypttabFacts) -> Plan:
        """Write keys first, because a line without its key stops the boot."""
        volumes = config.storage.luks
        refusals = tuple(_refusals(volumes, facts))
        if refusals:
            return Plan(refusals=refusals)
        actions: list[Action] = [
            WriteKey((*PATH, index), volume.name, path, facts.keys[path])
            for index, volume in enumerate(volumes)
            for path in _files(volume)
            if path not in facts.there
        ]
        lines = [line_for(volume, uuid) for volume, uuid in zip(volumes, facts.uuids, strict=True)]
        text = with_lines(facts.table or "", lines)
        if text != facts.table:
            actions.append(WriteCrypttab(text))
        return Plan(tuple(actions), keeps=() if actions else (f"{TABLE} lists all volumes",))


def _files(volume: Luks) -> Iterator[str]:
    """Yield the key file paths of a volume in the target root."""
    if not volume.clevis.present:
        yield key_file(volume.name)
    if volume.cex.enabled:
        yield from (f"{distro.CEX_KEY_REPOSITORY}/{name}" for name in cex.key_files(volume))


def _keys(volume: Luks, state: State) -> Iterator[tuple[str, bytes | None]]:
    """Yield the key file paths with the keys that the disks stage persisted."""
    for path in _files(volume):
        if path == key_file(volume.name):
            yield path, state.luks_key(volume.name)
        else:
            yield path, state.luks_volume_key(posixpath.basename(path))


def key_file(name: str) -> str:
    """Return the key file path of a volume in the target root."""
    return f"{distro.LUKS_KEY_DIRECTORY}/{name}"


def line_for(volume: Luks, uuid: str) -> str:
    """Return the line of a volume: name, device, key, options."""
    key = NO_KEY if volume.clevis.present else key_file(volume.name)
    options = "luks,_netdev,x-initrd.attach" if clevis.netdev(volume.clevis) else "luks,x-initrd.attach"
    return f"{volume.name} UUID={uuid} {key} {options}"


def with_lines(text: str, lines: Iterable[str]) -> str:
    """Return the table with these lines; each replaces the line with its name or is appended."""
    table = text.split("\n")
    if table[-1] == "":
        table.pop()
    for line in lines:
        name = line.split()[0]
        places = [number for number, each in enumerate(table) if each.split()[:1] == [name]]
        if places:
            table[places[0]] = line
        else:
            table.append(line)
    return "".join(f"{each}\n" for each in table)


def _refusals(volumes: Iterable[Luks], facts: CrypttabFacts) -> Iterator[Refusal]:
    for index, volume in enumerate(volumes):
        for path in _files(volume):
            key, there = facts.keys.get(path), facts.there.get(path)
            if key is not None and there is not None and key != there:
                reason = f"{path} exists with another key"
                yield Refusal((*PATH, index, "name"), reason, f"remove {path} if no volume uses it")
