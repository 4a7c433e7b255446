"""The programs that make filesystems: mkfs.btrfs, mkfs.ext4, mkfs.fat, mkfs.xfs and mkswap.

Order and spelling of the options: engine.md 9.3.4. Options of the config come
first, so that ours win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ignition.host.command import Command

__all__ = ["FORMATS", "complaint", "make", "program_for"]


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
"""The formats that `make` knows."""


def program_for(format_: str) -> str:
    """The program that makes a format, one of `FORMATS`."""
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
    """Make a filesystem on `device`, whatever is on it.

    Args:
        format_: one of `FORMATS`.
        device: the path that the program is given.
        options: further options, in front of all others.
        uuid: in any case; for vfat the volume id, with or without its dash.
        label: the label; "" is handed over as it is.
        shown_as: what the log calls the device.
    """
    program = _PROGRAMS[format_]
    argv = [program.name, *options, *program.force]
    if uuid is not None:
        argv += [program.uuid, _uuid(format_, uuid)]
    if label is not None:
        argv += [program.label, label]
    return Command((*argv, device), f"creating {format_} on {shown_as or device}")


def complaint(stderr: str) -> str:
    """What a program says before it explains at length how to call it, as mkfs.xfs does; or ""."""
    said, usage, _ = stderr.partition("Usage: ")
    return " ".join(said.split()) if usage else ""


def _uuid(format_: str, uuid: str) -> str:
    uuid = uuid.lower()
    match format_:
        case "xfs":
            return f"uuid={uuid}"
        case "vfat":
            return uuid.replace("-", "")
        case _:
            return uuid
