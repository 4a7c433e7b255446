r"""blkid: what is on a device, as libblkid's superblock probe sees it, the reference's eye (engine.md 9.3.4).

One call for one device: given several, blkid 2.38 stops silently at the first with
nothing on it. The output format is udev's, the only one in which texts can be read
back exactly (`\x20` for what is not plain).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ignition.host.command import Command, CommandFailed, Ran

__all__ = ["NOTHING", "Probe", "parse", "probe"]

NOTHING, AMBIVALENT = 2, 8
"""Statuses for a device with nothing on it, and with several signatures. Source: blkid(8)."""


@dataclass(frozen=True)
class Probe:
    """What is on a device; "" for what is not.

    Attributes:
        format: type of the filesystem or other signature, as libblkid calls it.
        label: its label.
        uuid: its UUID.
        table: type of the partition table.
        is_ambivalent: whether there are several signatures; blkid then says nothing else,
            and `ignition.tools.wipefs` has to be asked.
    """

    format: str = ""
    label: str = ""
    uuid: str = ""
    table: str = ""
    is_ambivalent: bool = False


def probe(device: str, *, within: tuple[int, int] | None = None) -> Command:
    """Look at the device itself, without blkid's cache; only at a part of it with `within` (offset, size).

    A device that cannot be opened is to blkid like one with nothing on it: whoever
    asks makes sure that it can.
    """
    part = ("--offset", str(within[0]), "--size", str(within[1])) if within else ()
    return Command(
        ("blkid", "-p", "-o", "udev", *part, device),
        f"looking for what is on {device}",
        ok=(0, NOTHING, AMBIVALENT),
    )


def parse(command: Command, ran: Ran) -> Probe:
    """The answer.

    Raises:
        CommandFailed: blkid complained about the device.
    """
    if ran.status == AMBIVALENT:
        return Probe(is_ambivalent=True)
    if ran.stderr.strip():
        raise CommandFailed(command, ran)
    values = dict(line.split("=", 1) for line in ran.stdout.splitlines() if "=" in line)
    return Probe(
        format=values.get("ID_FS_TYPE", ""),
        label=_plain(values.get("ID_FS_LABEL_ENC", "")),
        uuid=_plain(values.get("ID_FS_UUID_ENC", "")),
        table=values.get("ID_PART_TABLE_TYPE", ""),
    )


def _plain(text: str) -> str:
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda code: bytes.fromhex(code[1].decode()), text.encode())
    return raw.decode("utf-8", "replace")
