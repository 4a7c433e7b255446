# SPDX-License-Identifier: Apache-2.0
"""mkfs.btrfs, mkfs.ext4, mkfs.fat, mkfs.xfs and mkswap: create filesystems.

Order and spelling of the options: docs/reference/stages.md, "disks stage: filesystems". Options of the config
come first, so that the others override them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ignition.host.command import Command

__all__ = ["FORMATS", "error_before_usage", "make", "program_for"]


@dataclass(frozen=True)
class _Program:
    name: str
    force: tuple[str, ...]
    uuid: str
    label: str


_PROGRAMS: Final = {
    "btrfs": _Program("mkfs.btrfs", ("--force",), "-U", "-L"),
    "ext4": _Program("mkfs.ext4", ("-F",), "-U", "-L"),
    "xfs": _Program("mkfs.xfs", ("-f",), "-m", "-L"),
    "swap": _Program("mkswap", ("-f",), "-U", "-L"),
    "vfat": _Program("mkfs.fat", (), "-i", "-n"),
}

FORMATS: Final = frozenset(_PROGRAMS)
"""The formats that `make` supports."""


def program_for(format_: str) -> str:
    """Return the program for a format of `FORMATS`."""
    return _PROGRAMS[format_].name


def make(
    format_: str,
    device: str,
    *,
    options: Sequence[str] = (),
    uuid: str | None = None,
    label: str | None = None,
    shown_as: str = "",
) -> Command:
    """Create a filesystem on `device`; existing data is lost.

    Args:
        format_: one of `FORMATS`.
        device: path for the command line.
        options: options of the config.
        uuid: in upper or lower case; for vfat the volume id, with or without its dash.
        label: label, "" for an empty one, None for no option.
        shown_as: name of the device for the log.
    """
    program = _PROGRAMS[format_]
    argv = [program.name, *options, *program.force]
    if uuid is not None:
        argv += [program.uuid, _uuid(format_, uuid)]
    if label is not None:
        argv += [program.label, label]
    return Command((*argv, device), f"creating {format_} on {shown_as or device}")


def error_before_usage(stderr: str) -> str:
    """Return the error message that precedes a long usage text, as in mkfs.xfs, or ""."""
    reason, usage, _ = stderr.partition("Usage: ")
    return " ".join(reason.split()) if usage else ""


def _uuid(format_: str, uuid: str) -> str:
    uuid = uuid.lower()
    match format_:
        case "xfs":
            return f"uuid={uuid}"
        case "vfat":
            return uuid.replace("-", "")
        case _:
            return uuid
