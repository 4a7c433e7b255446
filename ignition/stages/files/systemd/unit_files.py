# SPDX-License-Identifier: Apache-2.0
"""The step that writes unit files, drop-ins, masks and presets."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host, View
from ignition.schemas.config import Config
from ignition.schemas.systemd import Unit
from ignition.stages import Action, Plan
from ignition.stages.files.systemd.lookup import UNITS
from ignition.stages.files.systemd.presets import PRESETS, preset_lines, read_presets, with_lines

__all__ = ["Mask", "Units", "Unmask", "WriteUnitFile", "numbered"]

NOWHERE: Final = "/dev/null"


@dataclass(frozen=True)
class WriteUnitFile:
    """Write a unit file or drop-in, replacing an existing file or symlink."""

    path: ConfigPath
    place: str
    text: str = field(repr=False)
    what: str

    def describe(self) -> str:
        return f"writing {self.what}"

    def perform(self, host: Host) -> None:
        """Write it with mode 0644, owned by root."""
        host.root.write(self.place, self.text.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class Mask:
    """Mask a unit, also if the config has contents for it."""

    path: ConfigPath
    unit: str

    def describe(self) -> str:
        return f'masking unit "{self.unit}"'

    def perform(self, host: Host) -> None:
        """Replace an existing object with a symlink to /dev/null."""
        place = f"{UNITS}/{self.unit}"
        found = host.root.find(place)
        if found and stat.S_ISDIR(found.st_mode):
            host.root.remove(place)
        host.root.symlink(NOWHERE, place)


@dataclass(frozen=True)
class Unmask:
    """Remove a mask; any other object stays."""

    path: ConfigPath
    unit: str

    def describe(self) -> str:
        return f'unmasking unit "{self.unit}"'

    def perform(self, host: Host) -> None:
        """Remove the symlink if its text is exactly /dev/null."""
        place = f"{UNITS}/{self.unit}"
        found = host.root.find(place)
        if found and stat.S_ISLNK(found.st_mode) and host.root.readlink(place) == NOWHERE:
            host.root.remove(place)


class Units:
    """The step for the files of all units, in config order, and the preset file."""

    name = "units"

    def wanted(self, config: Config) -> bool:
        return bool(config.systemd.units)

    def observe(self, config: Config, host: View, state: State) -> str:
        """Read the preset file."""
        del config, state
        return read_presets(host.root)

    def plan(self, config: Config, facts: str) -> Plan:
        """Write all files; the preset file only gets missing lines."""
        actions = [action for path, unit in numbered(config) for action in _files(path, unit)]
        presets = with_lines(facts, preset_lines(config.systemd.units))
        if presets != facts:
            actions.append(WriteUnitFile(("systemd", "units"), PRESETS, presets, "presets"))
        return Plan(tuple(actions))


def numbered(config: Config) -> Iterator[tuple[ConfigPath, Unit]]:
    """Yield the units with their config paths."""
    for number, unit in enumerate(config.systemd.units):
        yield ("systemd", "units", number), unit


def _files(path: ConfigPath, unit: Unit) -> Iterator[Action]:
    """Yield drop-ins, the unit file, then the mask. Empty drop-ins are written, empty unit files are not."""
    for number, dropin in enumerate(unit.dropins):
        if dropin.contents is not None:
            yield WriteUnitFile(
                (*path, "dropins", number),
                f"{UNITS}/{unit.name}.d/{dropin.name}",
                dropin.contents,
                f'drop-in "{dropin.name}" of unit "{unit.name}"',
            )
    if unit.contents:
        yield WriteUnitFile(path, f"{UNITS}/{unit.name}", unit.contents, f'unit "{unit.name}"')
    if unit.mask is True:
        yield Mask(path, unit.name)
    elif unit.mask is False:
        yield Unmask(path, unit.name)
