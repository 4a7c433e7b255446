r"""sfdisk: writes GUID partition tables.

sfdisk and not sgdisk, which the reference uses: sgdisk calls `sync` and then sleeps
for a second after each write (a fifth of the reference's whole run in a guest), and
brings the C++ library into the initramfs. What comes out is the same: a test
compares disks written by both, and they differ only in three bytes of the protective
MBR, the cylinder-head-sector form of its end. For that the defaults which differ are
given: the first usable sector, and no wiping of what else is on the disk.

sfdisk places nothing here; start and size are always given in sectors
(`ignition.stages.disks.partitions.layout` says why they are what sgdisk would choose).
It checks them, and writes nothing if one does not fit.

- A new table is one call. It replaces whatever table there is, with all of sector 0.
- An existing table keeps what is not named, and its sector 0, where a boot loader may
  be: up to three kinds of calls, each of which leaves a state from which a second run
  goes on. `delete` and `append` take any number of partitions; `resize` changes an
  entry where it is, so that it cannot get lost between two calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ignition.host.command import Command

__all__ = ["NewPartition", "append", "create", "delete", "resize"]

_KEEP_THE_REST: Final = ("--wipe", "never", "--wipe-partitions", "never", "--no-reread", "--quiet")
"""What else is on the disk is not erased, and a disk of which another partition is in use is allowed."""


@dataclass(frozen=True)
class NewPartition:
    """An entry to be written.

    Attributes:
        number: from 1.
        start: first sector, in logical sectors of the disk.
        size: in logical sectors.
        label: the name; none is set if it is None.
        type_guid: "" for the default, Linux filesystem data.
        guid: "" for a random one.
    """

    number: int
    start: int
    size: int
    label: str | None = None
    type_guid: str = ""
    guid: str = ""

    def line(self) -> str:
        """The entry as a line of a script."""
        fields = [f"start={self.start}", f"size={self.size}"]
        if self.type_guid:
            fields.append(f"type={self.type_guid}")
        if self.guid:
            fields.append(f"uuid={self.guid}")
        if self.label:
            fields.append(f'name="{"".join(_quoted(self.label))}"')
        return f"{self.number} : {', '.join(fields)}"


def create(device: str, first_usable: int, partitions: Iterable[NewPartition], *, shown_as: str) -> Command:
    """Make a new table with a new disk GUID and these partitions."""
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
    """Give an entry another size in sectors; everything else about it stays."""
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
    r"""A name in a script is in double quotes; these, backslashes and control characters are `\xNN`."""
    for character in text:
        yield f"\\x{ord(character):02x}" if character in '"\\' or ord(character) < ord(" ") else character
