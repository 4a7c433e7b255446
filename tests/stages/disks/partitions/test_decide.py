# SPDX-License-Identifier: Apache-2.0
"""Decisions for one disk: sfdisk calls and refusals, as tables of cases."""

from __future__ import annotations

from typing import Any

import pytest

from ignition.configpath import format_path
from ignition.host.blocks import Disk as BlockDisk
from ignition.host.blocks import Holder
from ignition.host.device_use import DeviceUse, UseKind
from ignition.schemas.storage import Disk, Partition
from ignition.stages.disks.partitions.decide import DiskChanges, disk_changes
from ignition.stages.disks.partitions.layout import Extent
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import gpt

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
MIB = 2048
SECTORS = 1024 * MIB
EMPTY = gpt.empty_table(512, SECTORS)


HELD = DeviceUse(UseKind.HELD, holders=(Holder("/dev/dm-0"),))


def mounted_at(mount_point: str) -> DeviceUse:
    return DeviceUse(UseKind.MOUNTED, mount_point)


def facts(*entries: gpt.Entry, **more: Any) -> DiskFacts:
    table = gpt.Table(34, SECTORS - 34, 128, entries)
    return DiskFacts(BlockDisk("/dev/vdb", 512, SECTORS), "/alias", table, **{"has_table": True, **more})


BLANK = DiskFacts(BlockDisk("/dev/vdb", 512, SECTORS), "/alias", EMPTY, is_blank=True)
FULL = DiskFacts(BlockDisk("/dev/vdb", 512, SECTORS), "/alias", EMPTY)


def entry(number: int, start: int, size: int, label: str = "") -> gpt.Entry:
    return gpt.Entry(number, start * MIB, size * MIB, LINUX, f"guid-{number}", label)


def changes(there: DiskFacts, *partitions: dict[str, Any], wipe_table: bool | None = None) -> DiskChanges:
    disk = Disk(
        device="/dev/by-id/x",
        wipe_table=wipe_table,
        partitions=tuple(Partition(**each) for each in partitions),
    )
    return disk_changes(disk, ("storage", "disks", 0), there)


def calls(found: DiskChanges) -> list[str]:
    """Return the options and the script of each command."""
    lines = []
    for command in found.write().commands:
        words = [str(word) for word in command.argv if word not in {"never", "--wipe", "--wipe-partitions"}]
        words = [word for word in words if word not in {"sfdisk", "--no-reread", "--quiet", "/alias"}]
        lines.append(" ".join((*words, (command.stdin or b"").decode().strip().replace("\n", " | "))).strip())
    return lines


def refusals(found: DiskChanges) -> list[str]:
    return [f"{format_path(each.path)}: {each.reason}" for each in found.refusals()]


WIPE = {"wipe_partition_entry": True}
GONE = {"should_exist": False, **WIPE}


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        pytest.param(
            BLANK,
            [{"number": 1, "size_mib": 64, "label": "data"}, {"number": 2}],
            [
                (
                    'label: gpt | first-lba: 34 | 1 : start=2048, size=131072, name="data" '
                    "| 2 : start=133120, size=1963999"
                )
            ],
            id="a new table is one call",
        ),
        pytest.param(
            facts(entry(1, 1, 10)),
            [{"number": 2, "size_mib": 5}],
            ["--append 2 : start=22528, size=10240"],
            id="an addition is one call",
        ),
        pytest.param(
            facts(entry(1, 1, 10), entry(2, 11, 10)),
            [{"number": 1, **GONE}, {"number": 2, **GONE}],
            ["--delete 1 2"],
            id="deletions are one call",
        ),
        pytest.param(
            facts(entry(1, 1, 10, "a")),
            [{"number": 1, "label": "b", "start_mib": 1, "size_mib": 10, **WIPE}],
            ["--delete 1", '--append 1 : start=2048, size=20480, name="b"'],
            id="a replacement is a deletion and an addition",
        ),
        pytest.param(
            facts(entry(1, 1, 10, "a"), entry(2, 11, 10)),
            [{"number": 1, "size_mib": 20, "resize": True}, {"number": 2, **GONE}],
            ["--delete 2", "--partno 1 size=40960"],
            id="a resize comes after the deletions that make room for it",
        ),
        pytest.param(
            facts(entry(1, 1, 10, "a")),
            [{"number": 1, "size_mib": 0, "resize": True, "label": "a"}],
            ["--partno 1 size=2095071"],
            id="a resize to all that there is",
        ),
        pytest.param(
            facts(entry(1, 1, 10, "old"), entry(2, 11, 10)),
            [{"number": 1, **GONE}, {"label": "new", "size_mib": 4, "wipe_partition_entry": True}],
            ["--delete 1", '--append 1 : start=43008, size=8192, name="new"'],
            id="a number that is set free is used again under the new entry's own wipePartitionEntry",
        ),
        pytest.param(facts(entry(1, 1, 10)), [{"number": 1}], [], id="what is there is kept"),
        pytest.param(
            facts(),
            [{"number": 3, "should_exist": False}],
            [],
            id="what must not exist and does not, is well",
        ),
    ],
)
def test_changes_become_sfdisk_calls(
    there: DiskFacts, wanted: list[dict[str, Any]], expected: list[str]
) -> None:
    found = changes(there, *wanted)
    assert refusals(found) == []
    assert calls(found) == expected
    assert found.is_needed == bool(expected)


def test_kept_partitions_are_listed() -> None:
    found = changes(facts(entry(1, 1, 10)), {"number": 1}, {"number": 4, "should_exist": False})
    assert list(found.keeps()) == [
        "partition 1 of /dev/by-id/x matches the config",
        "partition 4 of /dev/by-id/x is absent, as configured",
    ]


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        pytest.param(
            facts(entry(1, 1, 10)),
            [{"number": 1, "should_exist": False}],
            ["$.storage.disks.0.partitions.0: partition 1 of /dev/by-id/x exists, but shouldExist is false"],
            id="deletion needs leave",
        ),
        pytest.param(
            facts(entry(1, 1, 10, "a")),
            [{"number": 1, "label": "b", "size_mib": 11}],
            [
                (
                    "$.storage.disks.0.partitions.0: existing partition 1 of /dev/by-id/x does not "
                    "match the config: "
                    'label is "a", want "b"; sizeMiB is 10 MiB, want 11 MiB'
                )
            ],
            id="all differences at once",
        ),
        pytest.param(
            facts(entry(1, 1, 10, "a")),
            [{"number": 1, "label": "b", "size_mib": 11, "resize": True}],
            [
                (
                    "$.storage.disks.0.partitions.0: existing partition 1 of /dev/by-id/x does not "
                    "match the config: "
                    'label is "a", want "b"; sizeMiB is 10 MiB, want 11 MiB'
                )
            ],
            id="resize does not allow more than a size",
        ),
        pytest.param(
            facts(entry(1, 1, 10), entry(2, 11, 10)),
            [{"number": 1, "size_mib": 20, "resize": True}, {"number": 3, "start_mib": 12, "size_mib": 1}],
            [
                (
                    "$.storage.disks.0.partitions.0: cannot create partition 1 of /dev/by-id/x: "
                    "it needs 20 MiB at 1 MiB, and 10 MiB are free up to the next partition; "
                    "the largest free block is 1002.98 MiB at 21 MiB"
                ),
                (
                    "$.storage.disks.0.partitions.1: cannot create partition 3 of /dev/by-id/x: "
                    "its start at 12 MiB is not free: occupied by partition 2"
                ),
            ],
            id="every partition that does not fit",
        ),
        pytest.param(
            facts(entry(1, 1, 10), entry(2, 11, 10), busy={1: mounted_at("/"), 2: HELD}),
            [{"number": 1}, {"number": 2, **GONE}],
            [
                (
                    "$.storage.disks.0.partitions.1: cannot delete partition 2 of /dev/by-id/x: "
                    "in use (held by /dev/dm-0)"
                )
            ],
            id="what is in use may be kept and not changed",
        ),
        pytest.param(
            facts(in_use=mounted_at("/mnt")),
            [],
            ["$.storage.disks.0: cannot partition /dev/by-id/x: in use (mounted at /mnt)"],
            id="a disk in use as a whole, even if nothing would change",
        ),
        pytest.param(
            facts(unusable="an MBR partition table"),
            [{"number": 1, "size_mib": 9999}],
            ["$.storage.disks.0: /dev/by-id/x has an MBR partition table"],
            id="MBR, and nothing about partitions that cannot be judged",
        ),
        pytest.param(
            facts(unusable="an MBR partition table"),
            [],
            ["$.storage.disks.0: /dev/by-id/x has an MBR partition table"],
            id="MBR, even if nothing is wanted",
        ),
        pytest.param(
            BLANK,
            [{"number": 129}],
            [
                (
                    "$.storage.disks.0.partitions.0: cannot create partition 129 of /dev/by-id/x: "
                    "the partition table has room for 128 partitions"
                )
            ],
            id="too high a number",
        ),
    ],
)
def test_refusals_table(there: DiskFacts, wanted: list[dict[str, Any]], expected: list[str]) -> None:
    assert refusals(changes(there, *wanted)) == expected


def test_each_refusal_has_a_hint() -> None:
    mbr = changes(facts(unusable="an MBR partition table"))
    assert [each.hint for each in mbr.refusals()] == [
        "set wipeTable: true to replace it, or change the device"
    ]
    size = changes(facts(entry(1, 1, 10)), {"number": 1, "size_mib": 20})
    assert [each.hint for each in size.refusals()] == [
        "set resize: true to change its size, or wipePartitionEntry: true to replace it"
    ]


# wipeTable


def test_wipe_zeroes_both_tables_and_writes_new_one() -> None:
    found = changes(facts(entry(1, 1, 10)), {"number": 1}, wipe_table=True)
    action = found.write()
    assert action.zero == ((0, 34 * 512), ((SECTORS - 33) * 512, 33 * 512))
    assert calls(found) == ["label: gpt | first-lba: 34 | 1 : start=2048, size=2095071"]
    assert action.expected == {1: Extent(2048, 2095071)}


def test_wipe_with_4096_byte_sectors() -> None:
    disk = BlockDisk("/dev/vdb", 4096, 8192)
    there = DiskFacts(disk, "/alias", gpt.empty_table(4096, 8192))
    action = changes(there, {"number": 1, "size_mib": 1}, wipe_table=True).write()
    assert action.zero == ((0, 6 * 4096), ((8192 - 5) * 4096, 5 * 4096))
    assert action.expected == {1: Extent(256, 256)}


@pytest.mark.parametrize(("there", "is_needed"), [(BLANK, False), (FULL, True), (facts(), True)])
def test_wipe_without_partitions_leaves_no_table(there: DiskFacts, is_needed: bool) -> None:
    found = changes(there, wipe_table=True)
    assert found.is_needed is is_needed
    assert found.write().commands == ()
    assert bool(found.write().zero) is is_needed


def test_wipe_replaces_unusable_table() -> None:
    assert refusals(changes(facts(unusable="an MBR partition table"), {"number": 1}, wipe_table=True)) == []


def test_wipe_is_refused_for_each_partition_in_use() -> None:
    there = facts(entry(1, 1, 10), busy={1: mounted_at("/"), 3: DeviceUse(UseKind.SWAP)})
    assert refusals(changes(there, {"number": 1}, wipe_table=True)) == [
        (
            "$.storage.disks.0.wipeTable: cannot wipe the partition table of /dev/by-id/x: "
            "partition 1 is in use (mounted at /)"
        ),
        (
            "$.storage.disks.0.wipeTable: cannot wipe the partition table of /dev/by-id/x: "
            "partition 3 is in use (active swap)"
        ),
    ]


# Expected results, for checks and previews.


def test_only_touched_partitions_are_checked() -> None:
    there = facts(entry(1, 1, 10), entry(2, 11, 10), entry(3, 21, 10))
    found = changes(there, {"number": 1}, {"number": 2, **GONE}, {"number": 4, "size_mib": 1})
    check = found.expect()
    assert check.gone == {2}
    assert check.expected == {4: Extent(31 * MIB, MIB)}
    assert set(found.write().expected) == {1, 3, 4}


def test_creates_lists_new_device_paths() -> None:
    guid = "11111111-2222-3333-4444-555555555555"
    found = changes(BLANK, {"number": 1, "size_mib": 1, "label": "data", "guid": guid})
    assert set(found.creates()) == {
        "/dev/vdb1",
        "/dev/disk/by-partlabel/data",
        f"/dev/disk/by-partuuid/{guid}",
    }


def test_same_config_again_changes_nothing() -> None:
    wanted: list[dict[str, Any]] = [
        {"number": 3, "size_mib": 7, "label": "three"},
        {"number": 1, "start_mib": 100, "size_mib": 9, "type_guid": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"},
        {"label": "zero", "size_mib": 30},
        {"label": "rest"},
    ]
    first = changes(BLANK, *wanted)
    made = [part for each in first.changes for part in [each.partition()]]
    table = [
        gpt.Entry(
            part.number, part.start, part.size, part.type_guid or LINUX, f"{part.number}", part.label or ""
        )
        for part in made
    ]
    second = changes(facts(*table), *wanted)
    assert refusals(second) == []
    assert not second.is_needed
