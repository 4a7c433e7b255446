# SPDX-License-Identifier: Apache-2.0
r"""blkid: probe the signatures on a device with libblkid, like the reference.

One call per device: with several devices, blkid 2.38 stops silently at the first one without a signature. The
output format is udev's, the only one that escapes texts reversibly (`\x20`).
Source: docs/reference/stages.md, "disks stage: filesystems".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ignition.host.command import Command, CommandFailed, Ran

__all__ = ["NOTHING", "Probe", "parse", "probe"]

NOTHING, AMBIVALENT = 2, 8
"""Exit statuses for no signature and for several signatures. Source: blkid(8)."""


@dataclass(frozen=True)
class Probe:
    """The signature on a device; "" for missing values.

    Attributes:
        format: libblkid's name of the filesystem or other signature.
        label: its label.
        uuid: its UUID.
        table: type of the partition table.
        is_ambivalent: whether there are several signatures. blkid then prints nothing else;
            `ignition.tools.wipefs` lists them.
    """

    format: str = ""
    label: str = ""
    uuid: str = ""
    table: str = ""
    is_ambivalent: bool = False


def probe(device: str, *, within: tuple[int, int] | None = None) -> Command:
    """Probe a device without blkid's cache, or only the range `within` (offset, size; in bytes).

    blkid reports a device that cannot be opened like one without a signature; the caller checks that.
    """
    part = ("--offset", str(within[0]), "--size", str(within[1])) if within else ()
    return Command(
        ("blkid", "-p", "-o", "udev", *part, device),
        f"probing signatures on {device}",
        ok=(0, NOTHING, AMBIVALENT),
    )


def parse(command: Command, ran: Ran) -> Probe:
    """Parse the output of `probe`.

    Raises:
        CommandFailed: blkid printed an error message.
    """
    if ran.status == AMBIVALENT:
        return Probe(is_ambivalent=True)
    if ran.stderr.strip():
        raise CommandFailed(command, ran)
    values = dict(line.split("=", 1) for line in ran.stdout.splitlines() if "=" in line)
    return Probe(
        format=values.get("ID_FS_TYPE", ""),
        label=_unescape(values.get("ID_FS_LABEL_ENC", "")),
        uuid=_unescape(values.get("ID_FS_UUID_ENC", "")),
        table=values.get("ID_PART_TABLE_TYPE", ""),
    )


def _unescape(text: str) -> str:
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda code: bytes.fromhex(code[1].decode()), text.encode())
    return raw.decode("utf-8", "replace")
