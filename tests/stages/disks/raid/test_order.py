# SPDX-License-Identifier: Apache-2.0
"""RAID arrays on RAID arrays: order, dependency cycles, and nesting depth."""

from __future__ import annotations

from ignition.schemas.config import Config
from ignition.schemas.storage import Raid, Storage
from ignition.stages.disks.raid.order import ranks, refusals


def nested(**arrays: str) -> tuple[Raid, ...]:
    return tuple(
        Raid(name=name, level="raid0", devices=tuple(devices.split())) for name, devices in arrays.items()
    )


def test_ranks_puts_arrays_after_their_members() -> None:
    arrays = nested(
        top="/dev/md/left /dev/md/right", left="/dev/a", right="/dev/md/low", low="/dev/b", x="/dev/c"
    )
    assert ranks(arrays) == [[1, 3, 4], [2], [0]]
    assert list(refusals(Config(storage=Storage(raid=arrays)))) == []


def test_raid_dependency_cycle_is_refused() -> None:
    arrays = nested(a="/dev/md/b", b="/dev/md/a", c="/dev/md/b", d="/dev/x")
    found = list(refusals(Config(storage=Storage(raid=arrays))))
    assert [str(each) for each in found] == [
        f'$.storage.raid.{index}.devices: RAID dependency cycle involving array "{name}"'
        for index, name in enumerate("abc")
    ]


def test_four_layers_of_arrays_are_accepted() -> None:
    arrays = nested(a="/dev/x", b="/dev/md/a", c="/dev/md/b", d="/dev/md/c", e="/dev/md/d")
    assert [str(each) for each in refusals(Config(storage=Storage(raid=arrays)))] == [
        '$.storage.raid.4.devices: array "e" has 4 layers of arrays below it'
    ]
