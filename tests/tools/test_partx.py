# SPDX-License-Identifier: Apache-2.0
"""partx: command lines, and runs of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.tools import partx


def test_update_command_lines() -> None:
    assert partx.update("add", "/dev/vdb", 1, 3).argv == ("partx", "--add", "--nr", "1:3", "/dev/vdb")
    assert partx.update("delete", "/dev/vdb", 4, 4).argv == ("partx", "--delete", "--nr", "4", "/dev/vdb")
    assert partx.update("add", "/dev/vdb", 4, 5).why == "telling the kernel to add partition 4:5 of /dev/vdb"


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [([], []), ([5], [(5, 5)]), ([2, 1], [(1, 2)]), ([1, 2, 5, 7, 6, 1], [(1, 2), (5, 7)])],
)
def test_ranges_table(numbers: list[int], ranges: list[tuple[int, int]]) -> None:
    assert list(partx.ranges(numbers)) == ranges


@given(st.sets(st.integers(1, 20)))
def test_ranges_cover_exactly_the_numbers(numbers: set[int]) -> None:
    covered = [number for first, last in partx.ranges(numbers) for number in range(first, last + 1)]
    assert covered == sorted(numbers)
