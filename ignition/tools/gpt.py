# SPDX-License-Identifier: Apache-2.0
"""Read a GUID partition table (GPT); `ignition.tools.sfdisk` writes it.

Reading it without a program also gives values that no program prints completely: the usable sectors and the
number of entries. Source: UEFI specification 2.10, chapter 5. The checks are those of libblkid, which the
reference uses (docs/reference/stages.md, "disks stage: partitions").
"""

from __future__ import annotations

import codecs
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Entry", "ReadAt", "Table", "backup", "empty_table", "has_header", "is_blank", "primary"]

ReadAt = Callable[[int, int], bytes]
"""Reads bytes of a disk: (offset, length) → data."""

SIGNATURE: Final = b"EFI PART"
HEADER: Final = struct.Struct("<8s4xII4xQ8xQQ16xQIII")
ENTRY: Final = struct.Struct("<16s16sQQ8x72s")
PROTECTIVE: Final = 0xEE
BOOT_SECTOR: Final = 512
BOOT_SECTOR_END: Final = b"\x55\xaa"
ENTRIES: Final = 128
"""Entries of a new table, as with sgdisk."""
MAX_ENTRY_BYTES: Final = 4 << 20
HEAD_BYTES: Final = 64 << 10
"""Bytes in which every partition table that libblkid supports begins."""


@dataclass(frozen=True)
class Entry:
    """One partition; sectors are logical sectors of the disk, GUIDs in lower case."""

    number: int
    start: int
    size: int
    type_guid: str
    guid: str
    label: str


@dataclass(frozen=True)
class Table:
    """A partition table.

    Attributes:
        first_usable: first sector for partitions.
        last_usable: last sector for partitions.
        capacity: highest partition number.
        entries: the partitions, by number.
    """

    first_usable: int
    last_usable: int
    capacity: int
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class _Header:
    size: int
    checksum: int
    own_sector: int
    first_usable: int
    last_usable: int
    entries_sector: int
    entries: int
    entry_size: int
    entries_checksum: int

    @property
    def entry_bytes(self) -> int:
        return self.entries * self.entry_size


def empty_table(sector_size: int, sectors: int) -> Table:
    """Return the empty table that sgdisk would create."""
    table_sectors = -(-ENTRIES * ENTRY.size // sector_size)
    return Table(2 + table_sectors, sectors - 2 - table_sectors, ENTRIES)


def primary(read: ReadAt, sector_size: int, sectors: int) -> Table | None:
    """Read the table at the start of the disk; None unless it and its protective MBR are valid."""
    return _table(read, sector_size, sectors, 1) if _is_protected(read(0, BOOT_SECTOR)) else None


def backup(read: ReadAt, sector_size: int, sectors: int) -> Table | None:
    """Read the table at the end of the disk; None unless it is valid."""
    return _table(read, sector_size, sectors, sectors - 1)


def has_header(read: ReadAt, sector_size: int, sectors: int) -> bool:
    """Whether a disk has a GPT signature at either end, valid or not."""
    return any(
        read(place * sector_size, len(SIGNATURE)) == SIGNATURE for place in (1, sectors - 1) if place > 0
    )


def is_blank(read: ReadAt, sector_size: int, sectors: int) -> bool:
    """Whether a disk has only zeros where a partition table could be."""
    size = sector_size * sectors
    head = min(size, HEAD_BYTES)
    tail = min(size, sector_size * (1 + sectors - 2 - empty_table(sector_size, sectors).last_usable))
    return not any(read(0, head)) and not any(read(size - tail, tail))


def _is_protected(sector: bytes) -> bool:
    types = sector[450:510:16]
    return sector[510:512] == BOOT_SECTOR_END and PROTECTIVE in types


def _table(read: ReadAt, sector_size: int, sectors: int, place: int) -> Table | None:
    if not 0 < place < sectors:
        return None
    raw = read(place * sector_size, sector_size)
    header = _header(raw)
    if header is None or header.own_sector != place or not _is_sane(header, raw, sectors):
        return None
    entries = read(header.entries_sector * sector_size, header.entry_bytes)
    if zlib.crc32(entries) != header.entries_checksum:
        return None
    return Table(
        header.first_usable, header.last_usable, header.entries, tuple(_entries(entries, header.entry_size))
    )


def _header(raw: bytes) -> _Header | None:
    if len(raw) < HEADER.size or not raw.startswith(SIGNATURE):
        return None
    return _Header(*HEADER.unpack_from(raw)[1:])


def _is_sane(header: _Header, raw: bytes, sectors: int) -> bool:
    return (
        HEADER.size <= header.size <= len(raw)
        and zlib.crc32(raw[:16] + bytes(4) + raw[20 : header.size]) == header.checksum
        and header.first_usable <= header.last_usable < sectors
        and header.entry_size >= ENTRY.size
        and 0 < header.entry_bytes <= MAX_ENTRY_BYTES
    )


def _entries(raw: bytes, entry_size: int) -> Iterator[Entry]:
    for number, offset in enumerate(range(0, len(raw), entry_size), start=1):
        type_, own, first, last, label = ENTRY.unpack_from(raw, offset)
        if any(type_):
            yield Entry(number, first, last - first + 1, _guid(type_), _guid(own), _label(label))


def _guid(raw: bytes) -> str:
    a, b, c = struct.unpack_from("<IHH", raw)
    return f"{a:08x}-{b:04x}-{c:04x}-{raw[8:10].hex()}-{raw[10:].hex()}"


def _label(raw: bytes) -> str:
    # bytes.decode("utf-16-le") would import a codec module, which the initramfs lacks.
    return codecs.utf_16_le_decode(raw, "surrogatepass", True)[0].partition("\0")[0]
