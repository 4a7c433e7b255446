# SPDX-License-Identifier: Apache-2.0
"""The step that enables and disables units, so that enabled units really start.

The reference only writes a preset file. But systemd applies presets only where `/etc/machine-id` is missing
or says `uninitialized`; with the empty file that many images have, enabled units never start and nobody
learns about it. So here two steps do both:

- `Units` (unit_files.py) writes the files and the presets.
- `Enablement` looks each unit up in the target root and runs `systemctl --root` to create or remove the
  symlinks of its `[Install]` section: one process for all enabled units, one for disabled units that
  have symlinks. Disabled units that are enabled through `Also=` are disabled again. An alias stands for
  its unit, a template for its instances. Presets match a unit's own name only, so aliases in the config
  get preset lines for the own names too.

A unit that does not start although it is enabled, or starts although it is disabled, gets a warning with the
reason. Source: docs/reference/stages.md, "files stage", and systemd.preset(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.command import CommandFailed
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.schemas.systemd import Unit
from ignition.stages import Plan
from ignition.stages.files.systemd.generators import generator_source
from ignition.stages.files.systemd.lookup import UNITS, InstalledUnit, UnitFiles, escaping_link
from ignition.stages.files.systemd.presets import PRESETS, instance_of, preset_lines, read_presets, with_lines
from ignition.stages.files.systemd.unit_files import numbered
from ignition.tools import systemctl

__all__ = ["ChangeEnablement", "Enablement", "KnownUnit", "UnitEnablement"]

MACHINE_ID: Final = "/etc/machine-id"
NAME: Final = re.compile(r"[\w:.\\@-]{1,255}", re.ASCII)
"""Valid unit names, see systemd.unit(5)."""


@dataclass(frozen=True)
class KnownUnit:
    """A unit that the config enables or disables, as found in the target root.

    Attributes:
        installed: the unit; None if there is no unit file.
        generated_by: the file from which a generator creates the unit at boot, or None.
    """

    installed: InstalledUnit | None = None
    generated_by: str | None = None


@dataclass(frozen=True)
class UnitEnablement:
    """The decision for one unit.

    Attributes:
        installed: the unit in the target root; None if there is no unit file.
        problem: why it does not start although it is enabled, or starts although it is disabled; or None.
    """

    path: ConfigPath
    unit: Unit
    installed: InstalledUnit | None
    problem: str | None


@dataclass(frozen=True)
class ChangeEnablement:
    """Create or remove the symlinks that start units.

    Attributes:
        enable: each unit with the config path that enables it.
        disable: each unit with the config path that disables it.
        unwanted: all disabled units, with and without symlinks.
        presets: preset lines for units that the config names by an alias.
        warnings: texts for the log.
    """

    path: ConfigPath
    enable: tuple[tuple[ConfigPath, str], ...] = ()
    disable: tuple[tuple[ConfigPath, str], ...] = ()
    unwanted: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def describe(self) -> str:
        verbs = (("enabling", self.enable), ("disabling", self.disable))
        parts = [
            f"{verb} {', '.join(dict.fromkeys(name for _, name in units))}" for verb, units in verbs if units
        ]
        return " and ".join(parts) or "checking enabled and disabled units"

    def perform(self, host: Host) -> None:
        """Run one process for each verb; if it fails, one for each unit, to find the unit that failed."""
        for warning in self.warnings:
            log.warning(warning)
        presets = with_lines(found := read_presets(host.root), self.presets)
        if presets != found:
            host.root.write(PRESETS, presets.encode("utf-8", "surrogateescape"))
        if (self.enable or self.disable) and (outside := escaping_link(host.root)):
            raise IgnitionError(
                f"cannot run systemctl: it would follow the symlink {outside} out of the target root",
                hint="make the symlinks between directories of the image relative",
            )
        for make, units in ((systemctl.disable, self.disable), (systemctl.enable, self.enable)):
            if not units:
                continue
            try:
                host.run(make(host.root.path, dict.fromkeys(name for _, name in units)))
            except CommandFailed:
                for path, name in units:
                    try:
                        host.run(make(host.root.path, (name,)))
                    except CommandFailed as error:
                        error.path = path
                        raise
            host.root.touch(UNITS)
        if self.enable and self.unwanted:
            self._undo_also(host.root)

    def _undo_also(self, root: Root) -> None:
        """Disable the disabled units again that systemctl enabled because of `Also=`."""
        files = UnitFiles(root)
        wanted = {link for _, name in self.enable for link in files.links(name)}
        for name in self.unwanted:
            links = [link for link in files.links(name) if link not in wanted]
            for link in links:
                root.remove(link)
            if links and _presets_apply(root):
                log.warning(
                    f'unit "{name}" is disabled in the config, but an enabled unit has it in Also=, '
                    "so presets enable it at the first boot; set mask: true"
                )


def _presets_apply(root: Root) -> bool:
    """Whether systemd will apply presets to all units at the next boot, see machine-id(5)."""
    if not root.is_file(MACHINE_ID):
        return True
    return root.read_text(MACHINE_ID).strip() == "uninitialized"


class Enablement:
    """The step after which enabled units start at the next boot and disabled units do not."""

    name = "enablement"

    def wanted(self, config: Config) -> bool:
        return any(unit.enabled is not None for unit in config.systemd.units)

    def observe(self, config: Config, host: View, state: State) -> dict[str, KnownUnit]:
        """Look the units up in the target root; the config's unit files are written by now."""
        del state
        files = UnitFiles(host.root)
        with host.root.cached_directories():
            return {
                unit.name: _known(files, unit.name)
                for unit in config.systemd.units
                if unit.enabled is not None
            }

    def plan(self, config: Config, facts: dict[str, KnownUnit]) -> Plan:
        """Plan the systemctl calls, and the warnings."""
        enable, disable, unwanted, warnings = [], [], [], []
        decisions: list[UnitEnablement] = []
        for path, unit in numbered(config):
            if unit.enabled is None:
                continue
            known = facts[unit.name]
            trouble = _start_problem(unit.name, known) if unit.enabled else _other_starter(known)
            decisions.append(UnitEnablement(path, unit, known.installed, trouble))
            if trouble:
                verb = "enabled" if unit.enabled else "disabled"
                warnings.append(f'unit "{unit.name}" is {verb} in the config, but {trouble}')
            if known.installed and unit.enabled and known.installed.installable and not trouble:
                enable.append((path, known.installed.name))
            elif known.installed and not unit.enabled and not known.installed.masked:
                unwanted.append(known.installed.name)
                if known.installed.linked:
                    disable.append((path, known.installed.name))
        presets = tuple(preset_lines(_by_own_names(config, facts)))
        if not (enable or disable or presets or warnings):
            return Plan(keeps=("no unit symlinks have to change",), decisions=tuple(decisions))
        units = tuple(enable), tuple(disable), tuple(unwanted)
        action = ChangeEnablement(("systemd", "units"), *units, presets, tuple(warnings))
        return Plan((action,), decisions=tuple(decisions))


def _known(files: UnitFiles, name: str) -> KnownUnit:
    installed = files.lookup(name)
    return KnownUnit(installed, None if installed else generator_source(files.root, name))


def _by_own_names(config: Config, facts: dict[str, KnownUnit]) -> Iterator[Unit]:
    """Yield the units whose own name differs from the name in the config.

    A preset for a template starts its default instance. Where that instance is disabled and no other
    instance is enabled, the template is disabled too.
    """
    own = [
        (unit, installed)
        for _, unit in numbered(config)
        if unit.enabled is not None and (installed := facts[unit.name].installed)
    ]
    enabled = [instance_of(installed.name) for unit, installed in own if unit.enabled]
    needed = {split[0] for split in enabled if split}
    for unit, installed in own:
        if installed.name != unit.name:
            yield unit.evolve(name=installed.name)
        split = instance_of(installed.name)
        if split and installed.is_default and not unit.enabled and split[0] not in needed:
            yield unit.evolve(name=split[0])


def _start_problem(name: str, known: KnownUnit) -> str | None:
    """Return why the enabled unit does not start; None if it does."""
    installed = known.installed
    if not NAME.fullmatch(name):
        return "this is not a valid unit name; see systemd-escape(1)"
    if installed is None:
        if known.generated_by:
            return None
        return "unit not found in the target root, also not as an alias or instance"
    if installed.masked:
        return "it is masked; set mask: false or enabled: false"
    if installed.pinned and not installed.installable:
        return None
    if installed.needs_instance:
        return f"it is a template; enable an instance such as {name.replace('@', '@NAME')}"
    if not installed.installable:
        return "it has no WantedBy= or RequiredBy= in an [Install] section"
    return None


def _other_starter(known: KnownUnit) -> str | None:
    """Return why the disabled unit starts; None if it does not."""
    if known.installed and known.installed.pinned:
        return f"{known.installed.pinned} starts it; set mask: true"
    return None
