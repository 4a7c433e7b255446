"""Encrypted volumes in the running system: their keys in `/etc/luks`, and a line each in `/etc/crypttab`.

systemd's generator makes units of the lines, which open the volumes at every boot. Source: engine.md 9.5,
points 6 and 7, and crypttab(5). A line is named by its first word, so a second run finds its own lines, where
the reference adds them again (engine.md 14, point 9). A key that is there is never replaced by another one.

A volume that Clevis unlocks has no key here, and one that a crypto card unlocks has two: in `/etc/luks` the
one that systemd gives to cryptsetup, and in the repository of zkey the volume key itself, for the card alone.
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
from ignition.host import Host
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.stages.disks.luks import cex, clevis
from ignition.tools import cryptsetup

__all__ = ["Crypttab", "Facts", "WriteCrypttab", "WriteKey", "key_file", "line_for", "with_lines"]

PATH: ConfigPath = ("storage", "luks")
TABLE: Final = "/etc/crypttab"
PRIVATE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700
NO_KEY: Final = "none"
"""In a line: whoever opens the volume asks for its key, and Clevis answers."""


@dataclass(frozen=True)
class Facts:
    """What has to be known.

    Attributes:
        uuids: the UUIDs of the volumes, in config order.
        keys: path → what the disks stage left for it. Secret.
        there: path → the key that is in place already. Secret.
        table: the text of `/etc/crypttab`; `None` if there is none.
    """

    uuids: tuple[str, ...]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    there: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    table: str | None = None


@dataclass(frozen=True)
class WriteKey:
    """Put a key of a volume where it is looked for."""

    path: ConfigPath
    name: str
    file: str
    key: bytes = field(repr=False)

    secret: ClassVar = True

    def describe(self) -> str:
        """Whose key, and where."""
        return f'writing the key of the encrypted volume {self.name} to "{self.file}"'

    def perform(self, host: Host) -> None:
        """For root alone, and so is the directory if it is new."""
        directory = posixpath.dirname(self.file)
        host.root.make_directories(posixpath.dirname(directory))
        host.root.make_directories(directory, PRIVATE_DIRECTORY)
        host.root.write(self.file, self.key, mode=PRIVATE)


@dataclass(frozen=True)
class WriteCrypttab:
    """Write the table of encrypted volumes."""

    text: str
    path: ConfigPath = PATH

    def describe(self) -> str:
        """Where."""
        return f'writing "{TABLE}"'

    def perform(self, host: Host) -> None:
        """Whole, and for root alone."""
        host.root.write(TABLE, self.text.encode("utf-8", "surrogateescape"), mode=PRIVATE)


class Crypttab:
    """The system opens the volumes of the config by itself."""

    name = "crypttab"

    def wanted(self, config: Config) -> bool:
        """Whether the config has encrypted volumes."""
        return bool(config.storage.luks)

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """The volumes as they are, what the disks stage left, and what the root has.

        Raises:
            StateError: the disks stage left no key, and none is in place from an earlier run.
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
                    error = StateError(f"the disks stage has left no key for the encrypted volume {name}")
                    error.path = (*PATH, index)
                    raise error
                if key is not None:
                    left[path] = key
        aliases = [host.devices.alias(volume.device or "") for volume in volumes]
        return Facts(
            uuids=tuple(host.run(cryptsetup.uuid(alias)).stdout.strip() for alias in aliases),
            keys=left,
            there=there,
            table=root.read_text(TABLE) if root.is_file(TABLE) else None,
        )

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Keys first: a line without its key stops the boot."""
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
        return Plan(tuple(actions), keeps=() if actions else (f"{TABLE} has all volumes of the config",))


def _files(volume: Luks) -> Iterator[str]:
    """Where keys of a volume are in the running system."""
    if not volume.clevis.present:
        yield key_file(volume.name)
    if volume.cex.enabled:
        yield from (f"{distro.CEX_KEY_REPOSITORY}/{name}" for name in cex.key_files(volume))


def _keys(volume: Luks, state: State) -> Iterator[tuple[str, bytes | None]]:
    """The same with what the disks stage has left for them."""
    for path in _files(volume):
        if path == key_file(volume.name):
            yield path, state.luks_key(volume.name)
        else:
            yield path, state.luks_volume_key(posixpath.basename(path))


def key_file(name: str) -> str:
    """Where the key of a volume is in the running system."""
    return f"{distro.LUKS_KEY_DIRECTORY}/{name}"


def line_for(volume: Luks, uuid: str) -> str:
    """The line of a volume: name, device, key, options."""
    key = NO_KEY if volume.clevis.present else key_file(volume.name)
    options = "luks,_netdev,x-initrd.attach" if clevis.netdev(volume.clevis) else "luks,x-initrd.attach"
    return f"{volume.name} UUID={uuid} {key} {options}"


def with_lines(text: str, lines: Iterable[str]) -> str:
    """A table with these lines: each in the place of one with its name, else at the end."""
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


def _refusals(volumes: Iterable[Luks], facts: Facts) -> Iterator[Refusal]:
    for index, volume in enumerate(volumes):
        for path in _files(volume):
            key, there = facts.keys.get(path), facts.there.get(path)
            if key is not None and there is not None and key != there:
                reason = f"{path} exists already, with another key"
                yield Refusal((*PATH, index, "name"), reason, "remove it if no volume needs it any more")
