"""systemd units and their drop-ins.

Source: config-spec sections 4.5 and 5.11.
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
"""What a unit's name may end in."""


class Dropin(Node):
    """A fragment that changes a unit."""

    contents: Annotated[str | None, secret] = None
    """Text of the drop-in."""
    name: str = ""
    """File name of the drop-in; it ends in `.conf`."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """The text is a unit's, and the name one that systemd reads."""
        yield from _check_contents(self.contents)
        if extension(self.name) != ".conf":
            message = "the name of a drop-in ends in .conf"
            yield error("dropin-name", message, "name", hint=f"write `{self.name}.conf`" if self.name else "")


class Unit(Node):
    """One unit."""

    contents: Annotated[str | None, secret] = None
    """Text of the unit; absent if the unit exists already."""
    dropins: Annotated[tuple[Dropin, ...], keyed("name")] = ()
    """Drop-ins of the unit."""
    enabled: bool | None = None
    """Whether the unit is enabled or disabled; left alone if absent."""
    mask: bool | None = None
    """Whether the unit is masked."""
    name: str = ""
    """Name of the unit with its type, for example `sshd.service`."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """The name has a type, the text is a unit's, and what is enabled can be."""
        if extension(self.name)[1:] not in UNIT_TYPES:
            message = "the name of a unit ends in its type"
            yield error("unit-name", message, "name", hint=", ".join(f".{kind}" for kind in UNIT_TYPES))
        yield from _check_contents(self.contents)
        if self.enabled and self.cannot_be_enabled:
            yield warning(
                "install-missing",
                "the unit is enabled but has no option in an [Install] section",
                "contents",
                hint="without, for example, `WantedBy=multi-user.target` there, enabling does nothing",
            )

    @property
    def cannot_be_enabled(self) -> bool:
        """Whether the text is there, is a unit's, and says nothing about installing it."""
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
        yield error("unit-contents", f"the text is not a unit's: {wrong}", "contents")


class Systemd(Node):
    """systemd units."""

    units: Annotated[tuple[Unit, ...], keyed("name")] = ()
    """Units to write, to change, to enable or to mask."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Instances that are enabled have a template that can be."""
        hopeless = {unit.name for unit in self.units if "@." in unit.name and unit.cannot_be_enabled}
        for index, unit in enumerate(self.units):
            template = _template(unit.name)
            if unit.enabled and template in hopeless:
                message = f"the unit is enabled but {template} has no option in an [Install] section"
                yield warning("template-install-missing", message, "units", index, "contents")


def _template(name: str) -> str:
    """The template of an instance of a service; empty for other names."""
    prefix, _, instance = name.removesuffix(".service").partition("@")
    return f"{prefix}@.service" if prefix and instance and name.endswith(".service") else ""
