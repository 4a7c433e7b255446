# SPDX-License-Identifier: Apache-2.0
"""The decision table of partitions, their numbers, and mismatches."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ignition.schemas.storage import Disk, Partition
from ignition.stages.disks.partitions.layout import Extent, Misfit
from ignition.stages.disks.partitions.match import Do, decide, differences, places, resolve
from ignition.tools import gpt

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
SECTORS = 1024 * 2048
PATH = ("storage", "disks", 0)


# The table of docs/reference/stages.md, "disks stage: partitions"; None means either value.
TABLE = [
    # exists, shouldExist, wipe, resize, matches, only size differs → do
    (False, False, None, None, None, None, Do.NOTHING),
    (False, True, None, None, None, None, Do.CREATE),
    (True, False, False, None, None, None, Do.REFUSE),
    (True, False, True, None, None, None, Do.DELETE),
    (True, True, None, None, True, None, Do.KEEP),
    (True, True, False, True, False, True, Do.RESIZE),
    (True, True, False, True, False, False, Do.REFUSE),
    (True, True, False, False, False, None, Do.REFUSE),
    (True, True, True, None, False, None, Do.REPLACE),
]


@pytest.mark.parametrize("row", TABLE)
def test_decision_table(row: tuple[Any, ...]) -> None:
    *conditions, expected = row
    names = ("exists", "should_exist", "wipe", "resize", "matches", "only_size_differs")
    for values in itertools.product(*((True, False) if each is None else (each,) for each in conditions)):
        assert decide(**dict(zip(names, values, strict=True))) is expected


def test_decision_table_is_complete() -> None:
    for values in itertools.product((True, False), repeat=6):
        fitting = [
            row
            for row in TABLE
            if all(want in (None, is_) for want, is_ in zip(row[:6], values, strict=True))
        ]
        assert len(fitting) == 1, values


def entry(
    number: int, start: int, size: int, label: str = "", type_guid: str = LINUX, guid: str = ""
) -> gpt.Entry:
    return gpt.Entry(number, start, size, type_guid, guid or f"guid-{number}", label)


def table(*entries: gpt.Entry) -> gpt.Table:
    return gpt.Table(34, SECTORS - 34, 128, entries)


def numbers(disk: Disk, *entries: gpt.Entry) -> list[int]:
    return [each.number for each in resolve(disk, PATH, table(*entries), 512)]


def disk(*partitions: dict[str, Any]) -> Disk:
    return Disk(device="/dev/vdb", partitions=tuple(Partition(**each) for each in partitions))


def test_entries_without_number_take_lowest_free_numbers() -> None:
    wanted = disk({"label": "a"}, {"number": 2}, {"label": "b"}, {"number": 5})
    found = resolve(wanted, PATH, table(entry(1, 2048, 1), entry(4, 4096, 1)), 512)
    assert [(each.number, each.path[-1]) for each in found] == [(2, 1), (5, 3), (3, 0), (6, 2)]


def test_number_of_deleted_partition_is_reused_once() -> None:
    gone = {"number": 1, "should_exist": False, "wipe_partition_entry": True}
    assert numbers(disk(gone, {"label": "a"}, {"label": "b"}), entry(1, 2048, 9)) == [1, 1, 2]


def test_second_run_finds_partition_of_number_zero() -> None:
    """The reference adds another partition in each run."""
    assert numbers(
        disk({"label": "data", "size_mib": 1}), entry(1, 2048, 9), entry(7, 4096, 2048, "data")
    ) == [7]


@pytest.mark.parametrize(
    "other",
    [
        {"label": "data", "size_mib": 2},
        {"label": "data", "start_mib": 9},
        {"label": "data", "type_guid": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"},
        {"label": "data", "guid": "99999999-8888-7777-6666-555555555555"},
        {"label": "Data"},
        {"label": ""},
    ],
)
def test_partition_with_mismatch_is_not_matched_by_label(other: dict[str, Any]) -> None:
    assert numbers(disk(other), entry(1, 4096, 2048, "data")) == [2]


def test_configured_number_takes_precedence_over_label() -> None:
    assert numbers(disk({"number": 1}, {"label": "data"}), entry(1, 4096, 2048, "data")) == [1, 2]


def test_two_entries_never_match_one_partition() -> None:
    wanted = disk({"label": "data"}, {"label": "data"})
    assert numbers(wanted, entry(3, 4096, 8, "data"), entry(4, 8192, 8, "data")) == [3, 4]
    assert numbers(wanted, entry(3, 4096, 8, "data")) == [3, 1]


@pytest.mark.parametrize(("sector_size", "factor"), [(512, 2048), (4096, 256)])
def test_resolved_figures_are_in_sectors(sector_size: int, factor: int) -> None:
    (wanted,) = resolve(disk({"number": 1, "start_mib": 3, "size_mib": 5}), PATH, table(), sector_size)
    assert (wanted.start, wanted.size) == (3 * factor, 5 * factor)


def place(wanted: Disk, *entries: gpt.Entry) -> list[Extent | Misfit]:
    there = table(*entries)
    resolved = resolve(wanted, PATH, there, 512)
    return list(places(resolved, there, 512, SECTORS).values())


def test_unset_figures_are_those_of_existing_partition() -> None:
    assert place(disk({"number": 1, "label": "x"}), entry(1, 2048, 777)) == [Extent(2048, 777)]


def test_wiped_partition_is_placed_again() -> None:
    wanted = disk({"number": 1, "wipe_partition_entry": True})
    assert place(wanted, entry(1, 4096, 777)) == [Extent(2048, SECTORS - 34 - 2048 + 1)]


def test_explicit_zero_is_placed_again() -> None:
    wanted = disk({"number": 1, "start_mib": 0, "size_mib": 1})
    assert place(wanted, entry(1, 4096, 777)) == [Extent(2048, 2048)]


def test_space_of_named_partitions_is_free() -> None:
    gone = {"number": 1, "should_exist": False, "wipe_partition_entry": True}
    wanted = disk(gone, {"number": 3, "start_mib": 1, "size_mib": 1})
    assert place(wanted, entry(1, 2048, 2048)) == [Extent(2048, 2048)]
    (misfit,) = place(wanted, entry(1, 4096, 2048), entry(2, 2048, 2048))
    assert isinstance(misfit, Misfit)


def differences_of(
    wanted: dict[str, Any], there: gpt.Entry, extent: Extent | None = None
) -> list[tuple[str, str, str]]:
    (resolved,) = resolve(disk({"number": there.number, **wanted}), PATH, table(there), 512)
    return list(differences(resolved, there, extent))


THERE = entry(1, 2048, 4096, "root", LINUX, "11111111-2222-3333-4444-55555555aaaa")


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"label": "root"},
        {"type_guid": LINUX.upper()},
        {"type_guid": "", "guid": ""},
        {"guid": "11111111-2222-3333-4444-55555555AAAA"},
        {"start_mib": 1, "size_mib": 2},
        {"start_mib": 0, "size_mib": 0},
    ],
)
def test_differences_of_matching_object_is_empty(same: dict[str, Any]) -> None:
    assert differences_of(same, THERE) == []


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"label": "Root"}, ("label", '"root"', '"Root"')),
        ({"label": ""}, ("label", '"root"', '""')),
        ({"start_mib": 2}, ("startMiB", "2048", "4096")),
        ({"size_mib": 1}, ("sizeMiB", "4096", "2048")),
        ({"guid": "x"}, ("guid", THERE.guid, "x")),
        ({"type_guid": "x"}, ("typeGuid", LINUX, "x")),
    ],
)
def test_differences_lists_each_mismatch(other: dict[str, Any], found: tuple[str, str, str]) -> None:
    assert differences_of(other, THERE) == [found]


def test_differences_with_extent_compares_extent() -> None:
    assert differences_of({}, THERE, Extent(2048, 8192)) == [("sizeMiB", "4096", "8192")]
