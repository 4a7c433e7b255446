# SPDX-License-Identifier: Apache-2.0
"""systemd units and their drop-ins.

Source: docs/reference/config-language.md, "systemd units".
"""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error, warning
from ignition.schemas.marks import keyed, secret
from ignition.schemas.paths import extension
from ignition.schemas.spec import Spec

__all__ = ["Dropin", "Systemd", "Unit"]


UNIT_TYPES = (
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "snapshot",
    "slice",
    "scope",
)
"""Suffixes of unit names, without the dot."""


class Dropin(Node):
    """A drop-in of a unit."""

    contents: Annotated[str | None, secret] = None
    """Contents of the drop-in."""
    name: str = ""
    """File name of the drop-in, with the suffix `.conf`."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the contents and the name."""
        yield from _check_contents(self.contents)
        if extension(self.name) != ".conf":
            message = "the name of the drop-in does not end in .conf"
            yield error("dropin-name", message, "name", hint=f"write `{self.name}.conf`" if self.name else "")


class Unit(Node):
    """One unit."""

    contents: Annotated[str | None, secret] = None
    """Contents of the unit; absent if the unit exists already."""
    dropins: Annotated[tuple[Dropin, ...], keyed("name")] = ()
    """Drop-ins of the unit."""
    enabled: bool | None = None
    """Whether the unit is enabled or disabled; unchanged if absent."""
    mask: bool | None = None
    """Whether the unit is masked."""
    name: str = ""
    """Name of the unit with its suffix, for example `sshd.service`."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the name and the contents, and that an enabled unit can be enabled."""
        if extension(self.name)[1:] not in UNIT_TYPES:
            message = "the name of the unit has no type suffix"
            yield error(
                "unit-name",
                message,
                "name",
                hint=f"add one of {', '.join(f'.{kind}' for kind in UNIT_TYPES)}",
            )
        yield from _check_contents(self.contents)
        if self.enabled and self.cannot_be_enabled:
            yield warning(
                "install-missing",
                "the unit is enabled but has no option in an [Install] section",
                "contents",
                hint="add an [Install] section, for example with `WantedBy=multi-user.target`",
            )

    @property
    def cannot_be_enabled(self) -> bool:
        """Whether the unit has valid contents without options in an [Install] section."""
        from ignition.schemas.unitfile import MalformedUnit, parse_unit

        if not self.contents:
            return False
        try:
            return all(option.section != "Install" for option in parse_unit(self.contents))
        except MalformedUnit:
            return False


def _check_contents(contents: str | None) -> Iterator[Entry]:
    if not contents:
        return
    from ignition.schemas.unitfile import MalformedUnit, parse_unit

    try:
        parse_unit(contents)
    except MalformedUnit as wrong:
        yield error("unit-contents", f"the unit file is malformed: {wrong}", "contents")


class Systemd(Node):
    """systemd units."""

    units: Annotated[tuple[Unit, ...], keyed("name")] = ()
    """Units to write, change, enable, disable or mask."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the templates of enabled instances can be enabled."""
        not_enabled = {unit.name for unit in self.units if "@." in unit.name and unit.cannot_be_enabled}
        for index, unit in enumerate(self.units):
            template = _template(unit.name)
            if unit.enabled and template in not_enabled:
                message = f"the unit is enabled but {template} has no option in an [Install] section"
                yield warning("template-install-missing", message, "units", index, "contents")


def _template(name: str) -> str:
    """Return the template of an instance of a service; empty for other names."""
    prefix, _, instance = name.removesuffix(".service").partition("@")
    return f"{prefix}@.service" if prefix and instance and name.endswith(".service") else ""
