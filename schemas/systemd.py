"""systemd units and their drop-ins.

Source: config-spec sections 4.5 and 5.11.
"""

from __future__ import annotations

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import keyed

__all__ = ["Dropin", "Systemd", "Unit"]


class Dropin(Node):
    """A fragment that changes a unit."""

    contents: str | None = None
    """Text of the drop-in."""
    name: str = ""
    """File name of the drop-in; it ends in `.conf`."""


class Unit(Node):
    """One unit."""

    contents: str | None = None
    """Text of the unit; absent if the unit exists already."""
    dropins: Annotated[tuple[Dropin, ...], keyed("name")] = ()
    """Drop-ins of the unit."""
    enabled: bool | None = None
    """Whether the unit is enabled or disabled; left alone if absent."""
    mask: bool | None = None
    """Whether the unit is masked."""
    name: str = ""
    """Name of the unit with its type, for example `sshd.service`."""


class Systemd(Node):
    """systemd units."""

    units: Annotated[tuple[Unit, ...], keyed("name")] = ()
    """Units to write, to change, to enable or to mask."""
