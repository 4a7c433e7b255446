# SPDX-License-Identifier: Apache-2.0
r"""sfdisk: write GUID partition tables.

The reference uses sgdisk, which syncs and sleeps for a second after each write (a fifth of the reference's
run time in a guest) and needs the C++ library in the initramfs. The result is the same: a test compares
disks written by both, which differ only in three bytes of the protective MBR, its end as cylinder, head and
sector. Different defaults are overridden: the first usable sector, and wiping of other signatures.

sfdisk chooses no positions: start and size are always given in sectors, as sgdisk would choose them
(`ignition.stages.disks.partitions.layout`). sfdisk checks them and writes nothing if one does not fit.

- `create` replaces the whole table and sector 0.
- `delete`, `append` and `resize` keep the other entries and sector 0, which may contain a boot loader. After
  each call the table is in a state that a second run can continue from. `resize` changes an entry in place,
  so that it is never missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ignition.host.command import Command

__all__ = ["NewPartition", "append", "create", "delete", "resize"]

_KEEP_THE_REST: Final = ("--wipe", "never", "--wipe-partitions", "never", "--no-reread", "--quiet")
"""Keep other signatures, and accept a disk with other partitions in use."""


@dataclass(frozen=True)
class NewPartition:
    """An entry to write.

    Attributes:
        number: partition number, from 1.
        start: first sector, in logical sectors of the disk.
        size: in logical sectors.
        label: partition name, or None.
        type_guid: type, or "" for Linux filesystem data.
        guid: partition GUID, or "" for a random one.
    """

    number: int
    start: int
    size: int
    label: str | None = None
    type_guid: str = ""
    guid: str = ""

    def line(self) -> str:
        """Return the entry as a line of an sfdisk script."""
        fields = [f"start={self.start}", f"size={self.size}"]
        if self.type_guid:
            fields.append(f"type={self.type_guid}")
        if self.guid:
            fields.append(f"uuid={self.guid}")
        if self.label:
            fields.append(f'name="{"".join(_quoted(self.label))}"')
        return f"{self.number} : {', '.join(fields)}"


def create(device: str, first_usable: int, partitions: Iterable[NewPartition], *, shown_as: str) -> Command:
    """Create a table with a new disk GUID and these partitions."""
    lines = ["label: gpt", f"first-lba: {first_usable}", *(each.line() for each in partitions)]
    return _script((), device, lines, f"creating the partition table of {shown_as}")


def delete(device: str, numbers: Iterable[int], *, shown_as: str) -> Command:
    """Delete entries of an existing table."""
    words = [str(number) for number in numbers]
    return Command(
        ("sfdisk", "--no-reread", "--quiet", "--delete", device, *words),
        f"deleting {_partitions(words)} of {shown_as}",
    )


def append(device: str, partitions: Iterable[NewPartition], *, shown_as: str) -> Command:
    """Add entries to an existing table."""
    partitions = tuple(partitions)
    what = _partitions([str(each.number) for each in partitions])
    lines = [each.line() for each in partitions]
    return _script(("--append",), device, lines, f"creating {what} of {shown_as}")


def resize(device: str, number: int, size: int, *, shown_as: str) -> Command:
    """Change the size of an entry, in sectors; everything else stays unchanged."""
    return _script(
        ("--partno", str(number)),
        device,
        [f"size={size}"],
        f"resizing partition {number} of {shown_as}",
    )


def _script(options: Iterable[str], device: str, lines: Iterable[str], why: str) -> Command:
    stdin = "".join(f"{line}\n" for line in lines).encode()
    return Command(("sfdisk", *_KEEP_THE_REST, *options, device), why, stdin=stdin)


def _partitions(numbers: list[str]) -> str:
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _quoted(text: str) -> Iterator[str]:
    r"""Escape double quotes, backslashes and control characters of a name as `\xNN`."""
    for character in text:
        yield f"\\x{ord(character):02x}" if character in '"\\' or ord(character) < ord(" ") else character
