# SPDX-License-Identifier: Apache-2.0
"""Placement of partitions: single cases, invariants, and comparison with sgdisk."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ignition.stages.disks.partitions.layout import Extent, Misfit, Request, Space, alignment, lay_out
from ignition.tools import gpt
from tests.lab import gptimage

MIB = 2048  # sectors of 512 bytes
GIB = 1024 * MIB
DISK = Space(first=34, last=GIB - 34, alignment=MIB, capacity=128)


def place(*requests: Request, taken: dict[int, Extent] | None = None, space: Space = DISK) -> list[object]:
    return list(lay_out(space, taken or {}, requests).values())


def test_first_partition_starts_at_one_mib_and_may_fill_disk() -> None:
    assert place(Request(1)) == [Extent(MIB, DISK.last - MIB + 1)]


def test_requests_are_placed_in_order() -> None:
    assert place(Request(1, size=64 * MIB), Request(2)) == [
        Extent(MIB, 64 * MIB),
        Extent(65 * MIB, DISK.last - 65 * MIB + 1),
    ]


def test_start_zero_uses_largest_free_block() -> None:
    taken = {1: Extent(100 * MIB, 100 * MIB)}
    assert place(Request(2, size=MIB), taken=taken) == [Extent(200 * MIB, MIB)]


def test_start_zero_uses_first_of_equal_blocks() -> None:
    space = Space(first=0, last=299, alignment=1, capacity=4)
    assert place(Request(2, size=10), taken={1: Extent(100, 100)}, space=space) == [Extent(0, 10)]


def test_size_zero_needs_start_in_largest_block() -> None:
    (misfit,) = place(Request(2, start=2 * MIB), taken={1: Extent(100 * MIB, 100 * MIB)})
    assert isinstance(misfit, Misfit)
    assert misfit.text(512).startswith("without a size it extends to the end of the largest free block")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(2, size=2 * GIB), "it needs 2048 MiB at 200 MiB, and 823.98 MiB are free"),
        (
            Request(2, start=MIB, size=100 * MIB),
            (
                "it needs 100 MiB at 1 MiB, and 99 MiB are free up to the next partition; "
                "the largest free block is 823.98 MiB at 200 MiB"
            ),
        ),
        (Request(2, start=150 * MIB, size=1), "its start at 150 MiB is not free: occupied by partition 1"),
        (
            Request(2, start=2 * GIB, size=1),
            "its start at 2048 MiB is not free: beyond the end of the disk",
        ),
        (
            Request(2, start=1, size=1),
            "its start at 0.00 MiB is not free: before the first usable sector",
        ),
        (Request(1, size=1), "partition 1 exists already"),
        (Request(129, size=1), "the partition table has room for 128 partitions"),
    ],
)
def test_misfit_text_has_figures(request_: Request, reason: str) -> None:
    (misfit,) = place(request_, taken={1: Extent(100 * MIB, 100 * MIB)})
    assert isinstance(misfit, Misfit)
    assert misfit.text(512) == reason


def test_full_disk_has_no_free_space() -> None:
    (misfit,) = place(Request(2), taken={1: Extent(34, DISK.last - 33)})
    assert isinstance(misfit, Misfit)
    assert misfit.text(512) == "no free space on the disk"


def test_misfit_does_not_stop_other_requests() -> None:
    first, second = place(Request(1, size=2 * GIB), Request(2, size=MIB))
    assert isinstance(first, Misfit)
    assert second == Extent(MIB, MIB)


@pytest.mark.parametrize(
    ("starts", "sector_size", "sectors", "grid"),
    [
        ((), 512, GIB, 2048),
        ((), 4096, GIB, 256),
        ((2048, 4096), 512, GIB, 2048),
        ((2048, 34), 512, GIB, 2),
        ((63,), 512, GIB, 1),
        ((63,), 512, 585937500, 8),
        ((63,), 512, 585937499, 1),
        ((264,), 4096, GIB, 8),
    ],
)
def test_alignment_is_one_mib_unless_partitions_are_unaligned(
    starts: tuple[int, ...], sector_size: int, sectors: int, grid: int
) -> None:
    assert alignment(starts, sector_size, sectors) == grid


# Invariants.

numbers = st.integers(1, 8)
extents = st.builds(Extent, st.integers(1, 900), st.integers(1, 300))


@st.composite
def tables(draw: st.DrawFn) -> dict[int, Extent]:
    """Generate disjoint partitions whose numbers are not in disk order."""
    cuts = sorted(draw(st.lists(st.integers(34, 3000), max_size=10, unique=True)))
    spans = [Extent(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    order = draw(st.permutations(range(1, len(spans) + 1)))
    return dict(zip(order, spans, strict=True))


requests = st.lists(
    st.builds(Request, st.integers(1, 12), st.integers(0, 3200), st.integers(0, 2000)),
    max_size=5,
    unique_by=lambda each: each.number,
)
spaces = st.builds(
    Space,
    first=st.just(34),
    last=st.integers(100, 3100),
    alignment=st.sampled_from([1, 2, 8, 64, 256]),
    capacity=st.sampled_from([4, 128]),
)


@given(spaces, tables(), requests)
def test_placed_extents_are_usable_and_disjoint(
    space: Space, taken: dict[int, Extent], wanted: list[Request]
) -> None:
    placed = {n: e for n, e in lay_out(space, taken, wanted).items() if isinstance(e, Extent)}
    for number, extent in placed.items():
        assert extent.size > 0
        assert space.first <= extent.start <= extent.last <= space.last
        others = [*taken.values(), *(each for n, each in placed.items() if n != number)]
        assert all(extent.last < other.start or other.last < extent.start for other in others)


@given(spaces, tables(), requests)
def test_request_is_met_exactly_or_refused(
    space: Space, taken: dict[int, Extent], wanted: list[Request]
) -> None:
    placed = lay_out(space, taken, wanted)
    for request in wanted:
        extent = placed[request.number]
        if isinstance(extent, Extent):
            assert request.start in (0, extent.start)
            assert request.size in (0, extent.size)


# Comparison with sgdisk. Existing partitions start anywhere; requests are in whole MiB, as in a config.


@st.composite
def disks(draw: st.DrawFn) -> tuple[int, dict[int, Extent], list[int], list[Request]]:
    """Generate a disk size in MiB, existing partitions, deleted ones, and requests."""
    size = draw(st.sampled_from([8, 64, 300, 300 * 1024]))
    grid = draw(st.sampled_from([1, 8, 64, 2048]))
    cuts = sorted(draw(st.lists(st.integers(1, min(size, 300) * MIB // grid - 1), max_size=8, unique=True)))
    spans = [Extent(a * grid, (b - a) * grid) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    spans = [each for each in spans if each.start >= 34 and each.last < size * MIB - 34]
    order = draw(st.permutations(range(1, len(spans) + 1)))
    taken = dict(zip(order, spans, strict=True))
    gone = draw(st.lists(st.sampled_from(order), unique=True)) if order else []
    mib = st.integers(0, size + 1).map(lambda each: each * MIB)
    small = st.integers(0, min(size, 40)).map(lambda each: each * MIB)
    asked = draw(
        st.lists(
            st.builds(Request, st.integers(1, 10), st.one_of(st.just(0), mib), st.one_of(st.just(0), small)),
            min_size=1,
            max_size=4,
            unique_by=lambda each: each.number,
        )
    )
    return size, taken, gone, asked


@pytest.mark.real_commands("sgdisk")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(disks())
@example((300 * 1024, {1: Extent(63, 100)}, [], [Request(2, size=MIB)])).via("a large disk off the grid")
@example((300, {1: Extent(63, 100)}, [], [Request(2, size=MIB)])).via("a small disk off the grid")
def test_layout_agrees_with_sgdisk(
    tmp_path: Path, case: tuple[int, dict[int, Extent], list[int], list[Request]]
) -> None:
    size, taken, gone, asked = case
    parts = [gptimage.Part(number, each.start, each.size) for number, each in taken.items()]
    image = gptimage.write(tmp_path / "disk", size << 20, parts)
    sectors = size * MIB
    table = read_table(image, sectors)
    assert {entry.number: Extent(entry.start, entry.size) for entry in table.entries} == taken

    pretended = sgdisk(
        "--pretend",
        *(f"--delete={number}" for number in gone),
        *(f"--new={each.number}:{each.start}:+{each.size}" for each in asked),
        *(f"--info={each.number}" for each in asked),
        image,
    )
    ours = lay_out(
        Space(
            table.first_usable,
            table.last_usable,
            alignment((each.start for each in table.entries), 512, sectors),
            table.capacity,
        ),
        {number: each for number, each in taken.items() if number not in gone},
        asked,
    )

    assert (pretended.returncode == 0) == all(isinstance(each, Extent) for each in ours.values())
    assume(pretended.returncode == 0)
    assert re.findall(r"(?m)^First sector: (\d+) .*\nLast sector: (\d+) ", pretended.stdout) == [
        (str(each.start), str(each.last)) for each in ours.values() if isinstance(each, Extent)
    ]


@pytest.mark.real_commands("sgdisk")
@pytest.mark.parametrize("mib", [1, 2, 10, 1000])
def test_empty_table_equals_that_of_sgdisk(tmp_path: Path, mib: int) -> None:
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, mib << 20)
    table = gpt.empty_table(512, mib * MIB)
    printed = sgdisk("--pretend", "--clear", "--print", image).stdout
    assert (
        f"First usable sector is {table.first_usable}, last usable sector is {table.last_usable}\n" in printed
    )
    assert f"Partition table holds up to {table.capacity} entries\n" in printed


@pytest.mark.real_commands("sgdisk")
def test_table_on_grown_disk_keeps_its_end_like_sgdisk(tmp_path: Path) -> None:
    image = gptimage.write(tmp_path / "disk", 8 << 20)
    os.truncate(image, 16 << 20)
    table = read_table(image, 16 * MIB)
    (extent,) = place(Request(1), space=Space(table.first_usable, table.last_usable, MIB, table.capacity))
    assert isinstance(extent, Extent)
    assert extent.last == 8 * MIB - 34
    assert f"Last sector: {extent.last} " in sgdisk("--pretend", "--new=1:0:+0", "--info=1", image).stdout


def sgdisk(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sgdisk", *arguments], capture_output=True, text=True, check=False)


def read_table(image: Path, sectors: int) -> gpt.Table:
    with image.open("rb") as file:
        table = gpt.primary(lambda offset, length: os.pread(file.fileno(), length, offset), 512, sectors)
    assert table is not None
    return table
