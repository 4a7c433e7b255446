"""systemd units: written, masked, unmasked, and enabled so that they really start.

The reference writes a preset file and leaves the rest to the first boot. But systemd applies presets only
where `/etc/machine-id` is missing or says `uninitialized`; with the empty file that many images have,
units that the config enables never start, and nobody is told. So here two steps do both:

- `Units` writes drop-ins, units, masks, and the preset file in the reference's form, each line once. It
  says `disable` also for what is not enabled now, for disabled instances too, and a template without
  instances gets no trailing blank (engine.md 14, points 7 and 9).
- `Enablement` looks each unit up as the root now has it and lets `systemctl --root` make or remove the
  links of its `[Install]` section: one process for all that are enabled, one for those of the disabled
  that something starts. What enabling a unit starts of the disabled ones is taken away again. An alias
  stands for the unit that it names, a template for its instances. Presets speak of units by their own
  names only, so those get their lines too: where presets are applied, what the config says by an alias
  would be undone.

A unit that cannot be started by enabling it, or that starts although it is disabled, gets a warning that
names it and says why. Source: engine.md 9.5, point 5, and systemd.preset(5).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.command import CommandFailed
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.schemas.systemd import Unit
from ignition.stages import Action, Plan
from ignition.stages.files.systemd.lookup import (
    UNITS,
    Installed,
    UnitFiles,
    generator_source,
    instance_of,
    led_out,
)
from ignition.tools import systemctl

if TYPE_CHECKING:
    from ignition.preview.effects import Effect
    from ignition.preview.host import PreviewHost

__all__ = ["PRESETS", "Enable", "Enablement", "Known", "Mask", "Units", "Unmask", "Write", "preset_lines"]

PRESETS: Final = "/etc/systemd/system-preset/20-ignition.preset"
NOWHERE: Final = "/dev/null"
MACHINE_ID: Final = "/etc/machine-id"
NAME: Final = re.compile(r"[\w:.\\@-]{1,255}", re.ASCII)
"""What systemd takes for a unit's name; source: systemd.unit(5)."""


@dataclass(frozen=True)
class Write:
    """Write one file of a unit; what is there, a link too, is replaced."""

    path: ConfigPath
    place: str
    text: str = field(repr=False)
    what: str

    def describe(self) -> str:
        """Which one."""
        return f"writing {self.what}"

    def perform(self, host: Host) -> None:
        """Mode 0644, owned by root."""
        host.root.write(self.place, self.text.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class Mask:
    """Make it impossible to start a unit, also if the config gives it contents."""

    path: ConfigPath
    unit: str

    def describe(self) -> str:
        """Which one."""
        return f'masking unit "{self.unit}"'

    def perform(self, host: Host) -> None:
        """A link to /dev/null takes the place of whatever is there."""
        place = f"{UNITS}/{self.unit}"
        found = host.root.find(place)
        if found and stat.S_ISDIR(found.st_mode):
            host.root.remove(place)
        host.root.symlink(NOWHERE, place)


@dataclass(frozen=True)
class Unmask:
    """Take a mask away; anything else stays."""

    path: ConfigPath
    unit: str

    def describe(self) -> str:
        """Which one."""
        return f'unmasking unit "{self.unit}"'

    def perform(self, host: Host) -> None:
        """Only a link whose text is exactly /dev/null is a mask."""
        place = f"{UNITS}/{self.unit}"
        found = host.root.find(place)
        if found and stat.S_ISLNK(found.st_mode) and host.root.readlink(place) == NOWHERE:
            host.root.remove(place)


class Units:
    """The files of all units, in config order, and the preset file."""

    name = "units"

    def wanted(self, config: Config) -> bool:
        """Whether the config names any unit."""
        return bool(config.systemd.units)

    def observe(self, config: Config, host: Host, state: State) -> str:
        """The preset file as it is."""
        del config, state
        return _presets(host)

    def plan(self, config: Config, facts: str) -> Plan:
        """Everything is replaced but the preset file, to which missing lines are added."""
        actions = [action for path, unit in _units(config) for action in _files(path, unit)]
        presets = _with_lines(facts, preset_lines(config.systemd.units))
        if presets != facts:
            actions.append(Write(("systemd", "units"), PRESETS, presets, "presets"))
        return Plan(tuple(actions))

    def effects(self, config: Config, facts: str, host: Host) -> Iterator[Effect]:
        """What happens to each unit's files; the preset file is part of enabling them."""
        del facts
        from ignition.preview import files as outlook

        return outlook.unit_files(config, host.root)

    def foresee(self, config: Config, facts: str, host: PreviewHost) -> None:
        """The files that there will be: the preview's root remembers what is done to it."""
        for action in self.plan(config, facts).actions:
            action.perform(host)


def _units(config: Config) -> Iterator[tuple[ConfigPath, Unit]]:
    for number, unit in enumerate(config.systemd.units):
        yield ("systemd", "units", number), unit


def _files(path: ConfigPath, unit: Unit) -> Iterator[Action]:
    """Drop-ins, then the unit, then its mask. An empty drop-in is a file, empty contents are none."""
    for number, dropin in enumerate(unit.dropins):
        if dropin.contents is not None:
            yield Write(
                (*path, "dropins", number),
                f"{UNITS}/{unit.name}.d/{dropin.name}",
                dropin.contents,
                f'drop-in "{dropin.name}" of unit "{unit.name}"',
            )
    if unit.contents:
        yield Write(path, f"{UNITS}/{unit.name}", unit.contents, f'unit "{unit.name}"')
    if unit.mask is True:
        yield Mask(path, unit.name)
    elif unit.mask is False:
        yield Unmask(path, unit.name)


def _presets(host: Host) -> str:
    return host.root.read_text(PRESETS) if host.root.is_file(PRESETS) else ""


def preset_lines(units: Iterable[Unit]) -> list[str]:
    """One line per unit, in the reference's order; the enabled instances of a template share a line."""
    lines: dict[str, list[str]] = {}
    for unit in units:
        if unit.enabled is None:
            continue
        verb = "enable" if unit.enabled else "disable"
        split = instance_of(unit.name) if unit.enabled else None
        name, instance = split or (unit.name, "")
        words = lines.setdefault(f"{name}-{verb}d", [verb, name])
        if instance:
            words.append(instance)
    return [" ".join(words) for _, words in sorted(lines.items())]


def _with_lines(text: str, lines: Iterable[str]) -> str:
    """`text` and those of `lines` that it does not hold yet."""
    missing = [line for line in lines if line not in text.split("\n")]
    separator = "\n" if text and not text.endswith("\n") and missing else ""
    return text + separator + "".join(f"{line}\n" for line in missing)


# Enabled means enabled.


@dataclass(frozen=True)
class Known:
    """What the root knows of a unit that the config enables or disables.

    `generated_by` is the file from which a unit without a unit file will be made at boot.
    """

    installed: Installed | None = None
    generated_by: str | None = None


@dataclass(frozen=True)
class Enable:
    """Make or remove the links that start units.

    Attributes:
        enable: each unit with the config path that enables it.
        disable: each unit with the config path that disables it.
        unwanted: all units that are disabled, whether anything starts them or not.
        presets: lines for units that the config calls by other names.
        warnings: what the user probably did not mean.
    """

    path: ConfigPath
    enable: tuple[tuple[ConfigPath, str], ...] = ()
    disable: tuple[tuple[ConfigPath, str], ...] = ()
    unwanted: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def describe(self) -> str:
        """The units by name."""
        verbs = (("enabling", self.enable), ("disabling", self.disable))
        said = [
            f"{verb} {', '.join(dict.fromkeys(name for _, name in units))}" for verb, units in verbs if units
        ]
        return " and ".join(said) or "looking at units that are enabled or disabled"

    def perform(self, host: Host) -> None:
        """One process for each verb; if it fails, one for each unit, to learn which one it was."""
        for warning in self.warnings:
            log.warning(warning)
        presets = _with_lines(found := _presets(host), self.presets)
        if presets != found:
            host.root.write(PRESETS, presets.encode("utf-8", "surrogateescape"))
        if (self.enable or self.disable) and (outside := led_out(host.root)):
            raise IgnitionError(
                f"systemctl would follow {outside} out of the target, where the link leads from here",
                hint="an image's links between its own directories should be relative",
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
        """Enabling a unit enables those that it names with `Also=`; undo that where they are disabled."""
        files = UnitFiles(root)
        wanted = {link for _, name in self.enable for link in files.links(name)}
        for name in self.unwanted:
            links = [link for link in files.links(name) if link not in wanted]
            for link in links:
                root.remove(link)
            if links and _presets_apply(root):
                log.warning(
                    f'unit "{name}" is disabled in the config, but one that is enabled names it with Also=, '
                    "and so the presets of the first boot will enable it; set mask: true"
                )


def _presets_apply(root: Root) -> bool:
    """Whether systemd will apply presets to all units, as at a first boot; source: machine-id(5)."""
    if not root.is_file(MACHINE_ID):
        return True
    return root.read_text(MACHINE_ID).strip() == "uninitialized"


class Enablement:
    """Each unit that the config enables will be started at the next boot, each it disables will not."""

    name = "enablement"

    def wanted(self, config: Config) -> bool:
        """Whether the config enables or disables any unit."""
        return any(unit.enabled is not None for unit in config.systemd.units)

    def observe(self, config: Config, host: Host, state: State) -> dict[str, Known]:
        """The units as the root has them, now that those of the config are written."""
        del state
        files = UnitFiles(host.root)
        with host.root.steady():
            return {
                unit.name: _known(files, unit.name)
                for unit in config.systemd.units
                if unit.enabled is not None
            }

    def plan(self, config: Config, facts: dict[str, Known]) -> Plan:
        """What systemctl is asked to do, and what it is not, with a warning."""
        enable, disable, unwanted, warnings = [], [], [], []
        for path, unit in _units(config):
            if unit.enabled is None:
                continue
            known = facts[unit.name]
            trouble = _trouble(unit.name, known) if unit.enabled else _persistence(known)
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
            return Plan(keeps=("no links of units have to change",))
        units = tuple(enable), tuple(disable), tuple(unwanted)
        return Plan((Enable(("systemd", "units"), *units, presets, tuple(warnings)),))

    def effects(self, config: Config, facts: dict[str, Known], host: Host) -> Iterator[Effect]:
        """What will start each unit."""
        del host
        from ignition.preview import files as outlook

        troubles = {name: trouble for name, known in facts.items() if (trouble := _trouble(name, known))}
        return outlook.enablement(config, facts, troubles)


def _known(files: UnitFiles, name: str) -> Known:
    installed = files.lookup(name)
    return Known(installed, None if installed else generator_source(files.root, name))


def _by_own_names(config: Config, facts: dict[str, Known]) -> Iterator[Unit]:
    """The units that presets know by other names than the config.

    A preset for a template starts the instance that the template names. Where that one is disabled and no
    other is enabled, the template is disabled too.
    """
    own = [
        (unit, installed)
        for _, unit in _units(config)
        if unit.enabled is not None and (installed := facts[unit.name].installed)
    ]
    enabled = [instance_of(installed.name) for unit, installed in own if unit.enabled]
    needed = {split[0] for split in enabled if split}
    for unit, installed in own:
        if installed.name != unit.name:
            yield unit.but(name=installed.name)
        split = instance_of(installed.name)
        if split and installed.is_default and not unit.enabled and split[0] not in needed:
            yield unit.but(name=split[0])


def _trouble(name: str, known: Known) -> str | None:
    """Why enabling this unit does not start it; `None` if it does."""
    installed = known.installed
    if not NAME.fullmatch(name):
        return "systemd reads no unit of such a name; see systemd-escape(1)"
    if installed is None:
        if known.generated_by:
            return None
        return "the target system has no such unit, nor one that it is an alias or an instance of"
    if installed.masked:
        return "it is masked; set mask: false, or do not enable it"
    if installed.pinned and not installed.installable:
        return None
    if installed.needs_instance:
        return f"it is a template; enable an instance of it, as in {name.replace('@', '@NAME')}"
    if not installed.installable:
        return "nothing in an [Install] section says what is to start it"
    return None


def _persistence(known: Known) -> str | None:
    """Why a unit starts although it is disabled; `None` if it does not."""
    if known.installed and known.installed.pinned:
        return f"{known.installed.pinned} starts it all the same; set mask: true"
    return None
