# SPDX-License-Identifier: Apache-2.0
"""The GPT reader on sound and damaged images, compared with libblkid."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.tools import gpt
from tests.lab import gptimage
from tests.lab.gptimage import Part

SIZE = 8 << 20
SECTORS = SIZE // 512
PARTS = (
    Part(
        1,
        2048,
        4096,
        "EFI-SYSTEM",
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        "0011aabb-2233-4455-6677-8899aabbccdd",
    ),
    Part(7, 34, 10, "é ü " + "x" * 32),
)


def reader(data: bytes) -> gpt.ReadAt:
    return lambda offset, length: data[offset : offset + length]


def primary(data: bytes, sector_size: int = 512) -> gpt.Table | None:
    return gpt.primary(reader(data), sector_size, len(data) // sector_size)


def backup(data: bytes) -> gpt.Table | None:
    return gpt.backup(reader(data), 512, len(data) // 512)


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    return gptimage.write(tmp_path / "disk", SIZE, PARTS).read_bytes()


def overwritten(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def test_primary_and_backup_are_read(image: bytes) -> None:
    table = primary(image)
    assert table == gpt.Table(
        first_usable=34,
        last_usable=SECTORS - 34,
        capacity=128,
        entries=(
            gpt.Entry(1, 2048, 4096, PARTS[0].type_guid, PARTS[0].guid, "EFI-SYSTEM"),
            gpt.Entry(7, 34, 10, gptimage.LINUX, "00000000-0000-0000-0000-000000000007", PARTS[1].label),
        ),
    )
    assert backup(image) == table


@pytest.mark.parametrize(("sector_size", "first_usable"), [(512, 34), (4096, 6)])
def test_first_usable_sector_depends_on_sector_size(
    tmp_path: Path, sector_size: int, first_usable: int
) -> None:
    data = gptimage.write(tmp_path / "disk", SIZE, [Part(1, 256, 8)], sector_size=sector_size).read_bytes()
    table = primary(data, sector_size)
    assert table is not None
    assert table.first_usable == first_usable
    empty = gpt.empty_table(sector_size, SIZE // sector_size)
    assert (empty.first_usable, empty.last_usable) == (table.first_usable, table.last_usable)


def test_larger_and_more_entries_are_read(tmp_path: Path) -> None:
    data = gptimage.write(
        tmp_path / "disk", SIZE, [Part(200, 2048, 8)], entries=256, entry_size=256
    ).read_bytes()
    table = primary(data)
    assert table is not None
    assert (table.capacity, [entry.number for entry in table.entries]) == (256, [200])


DAMAGE: dict[str, tuple[int, bytes]] = {
    "signature": (512, b"X"),
    "header": (512 + 40, b"X"),
    "header size": (512 + 12, b"\xff\xff"),
    "entries": (1024 + 60, b"X"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_primary_is_rejected_and_backup_is_read(image: bytes, what: str) -> None:
    damaged = overwritten(image, *DAMAGE[what])
    assert primary(damaged) is None
    assert backup(damaged) is not None
    assert gpt.has_header(reader(damaged), 512, SECTORS)


def test_table_without_protective_mbr_is_rejected(image: bytes) -> None:
    bare = overwritten(image, 0, bytes(512))
    assert primary(bare) is None
    assert gpt.has_header(reader(bare), 512, SECTORS)
    assert not gpt.is_blank(reader(bare), 512, SECTORS)


def test_table_with_hybrid_mbr_is_read(image: bytes) -> None:
    hybrid = gptimage.boot_sector((0x0C, 2048, 4096), (0xEE, 1, 2047))
    assert primary(overwritten(image, 0, hybrid)) is not None


def test_backup_without_primary_has_a_header(image: bytes) -> None:
    lone = overwritten(image, 0, bytes(1 << 20))
    assert backup(lone) is not None
    assert gpt.has_header(reader(lone), 512, SECTORS)
    assert not gpt.is_blank(reader(lone), 512, SECTORS)


def test_table_of_larger_disk_is_rejected(image: bytes) -> None:
    assert primary(image[: SIZE // 2]) is None


@pytest.mark.parametrize("size", [0, 512, 1024, 20480, 1 << 20])
def test_zeros_are_blank(size: int) -> None:
    assert gpt.is_blank(reader(bytes(size)), 512, size // 512)


@pytest.mark.parametrize("place", [0, 511, 65535, SIZE - 33 * 512, SIZE - 1])
def test_data_at_table_positions_is_not_blank(place: int) -> None:
    assert not gpt.is_blank(reader(overwritten(bytes(SIZE), place, b"\1")), 512, SECTORS)


@given(st.binary(max_size=2048), st.integers(0, 2048))
def test_random_data_is_rejected(rubbish: bytes, place: int) -> None:
    data = overwritten(bytes(65536), place, rubbish)[:65536]
    assert primary(data) is None
    assert backup(data) is None


@pytest.mark.real_commands("blkid")
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data,
        lambda data: overwritten(data, 512 + 40, b"X"),
        lambda data: overwritten(data, 0, bytes(512)),
    ],
    ids=["sound", "damaged primary", "no protective MBR"],
)
def test_libblkid_agrees(tmp_path: Path, image: bytes, change: Callable[[bytes], bytes]) -> None:
    data = change(image)
    (tmp_path / "it").write_bytes(data)
    said = subprocess.run(
        ["blkid", "-p", tmp_path / "it"], capture_output=True, text=True, check=False
    ).stdout
    protected = data[510:512] == b"\x55\xaa"
    assert ('PTTYPE="gpt"' in said) == (primary(data) is not None or (protected and backup(data) is not None))


@pytest.mark.real_commands("sgdisk")
def test_test_images_are_valid_for_sgdisk(tmp_path: Path) -> None:
    image = gptimage.write(tmp_path / "disk", SIZE, PARTS)
    said = subprocess.run(["sgdisk", "--verify", image], capture_output=True, text=True, check=False).stdout
    assert "No problems found" in said
    assert os.path.getsize(image) == SIZE
