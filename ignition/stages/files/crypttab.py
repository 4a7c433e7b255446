"""Encrypted volumes in the running system: their keys in `/etc/luks`, and a line each in `/etc/crypttab`.

systemd's generator makes units of the lines, which open the volumes at every boot. Source: engine.md 9.5,
point 6, and crypttab(5). A line is named by its first word, so a second run finds its own lines, where the
reference adds them again (engine.md 14, point 9). A key that is there is never replaced by another one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ignition import distro
from ignition.errors import Refusal, StateError
from ignition.host import Host
from ignition.report import ConfigPath
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.state import State
from ignition.tools import cryptsetup

__all__ = ["Crypttab", "Facts", "WriteCrypttab", "WriteKey", "line_for", "with_lines"]

PATH: ConfigPath = ("storage", "luks")
TABLE: Final = "/etc/crypttab"
PRIVATE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700
OPTIONS: Final = "luks,x-initrd.attach"


@dataclass(frozen=True)
class Facts:
    """What has to be known.

    Attributes:
        uuids: the UUIDs of the volumes, in config order.
        keys: name → the key that the disks stage left. Secret.
        there: name → the key that is in place already. Secret.
        table: the text of `/etc/crypttab`; `None` if there is none.
    """

    uuids: tuple[str, ...]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    there: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    table: str | None = None


@dataclass(frozen=True)
class WriteKey:
    """Put the key of a volume where its line says that it is."""

    path: ConfigPath
    name: str
    key: bytes = field(repr=False)

    def describe(self) -> str:
        """Whose key, and where."""
        return f'writing the key of the encrypted volume {self.name} to "{key_file(self.name)}"'

    def perform(self, host: Host) -> None:
        """For root alone, and so is the directory if it is new."""
        host.root.make_directories(posixpath.dirname(distro.LUKS_KEY_DIRECTORY))
        host.root.make_directories(distro.LUKS_KEY_DIRECTORY, PRIVATE_DIRECTORY)
        host.root.write(key_file(self.name), self.key, mode=PRIVATE)


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
        left = {volume.name: state.luks_key(volume.name) for volume in volumes}
        keys = {name: key for name, key in left.items() if key is not None}
        names = [volume.name for volume in volumes if root.is_file(key_file(volume.name))]
        for index, volume in enumerate(volumes):
            if volume.name not in keys and volume.name not in names:
                error = StateError(f"the disks stage has left no key for the encrypted volume {volume.name}")
                error.path = (*PATH, index)
                raise error
        aliases = [host.devices.alias(volume.device or "") for volume in volumes]
        return Facts(
            uuids=tuple(host.run(cryptsetup.uuid(alias)).stdout.strip() for alias in aliases),
            keys=keys,
            there={name: root.read(key_file(name)) for name in names},
            table=root.read_text(TABLE) if root.is_file(TABLE) else None,
        )

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Keys first: a line without its key stops the boot."""
        volumes = config.storage.luks
        refusals = tuple(_refusals(volumes, facts))
        if refusals:
            return Plan(refusals=refusals)
        actions: list[Action] = [
            WriteKey((*PATH, index), volume.name, facts.keys[volume.name])
            for index, volume in enumerate(volumes)
            if volume.name not in facts.there
        ]
        lines = [line_for(volume.name, uuid) for volume, uuid in zip(volumes, facts.uuids, strict=True)]
        text = with_lines(facts.table or "", lines)
        if text != facts.table:
            actions.append(WriteCrypttab(text))
        return Plan(tuple(actions), keeps=() if actions else (f"{TABLE} has all volumes of the config",))


def key_file(name: str) -> str:
    """Where the key of a volume is in the running system."""
    return f"{distro.LUKS_KEY_DIRECTORY}/{name}"


def line_for(name: str, uuid: str) -> str:
    """The line of a volume that is opened with a key file."""
    return f"{name} UUID={uuid} {key_file(name)} {OPTIONS}"


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
        key, there = facts.keys.get(volume.name), facts.there.get(volume.name)
        if key is not None and there is not None and key != there:
            reason = f"{key_file(volume.name)} exists already, with another key"
            yield Refusal((*PATH, index, "name"), reason, "remove it if no volume needs it any more")
