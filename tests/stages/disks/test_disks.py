# SPDX-License-Identifier: Apache-2.0
"""The disks stage on loop devices with real programs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed, IgnitionError, Refused
from ignition.host import Host, blocks
from ignition.host.command import Command, Ran
from ignition.host.run import run
from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Filesystem, Partition, Storage
from ignition.stages import STAGES
from ignition.tools import gpt
from tests.lab import gptimage, loop
from tests.lab.performing import performed

DISKS = next(stage for stage in STAGES if stage.name == "disks")
SIZE = 512 << 20
SECTORS = SIZE // 512

pytestmark = pytest.mark.real_commands(
    *loop.PROGRAMS,
    "sfdisk",
    "wipefs",
    "blkid",
    "mkfs.ext4",
    "mkfs.xfs",
    "mkfs.fat",
    "mkswap",
    "mount",
    "umount",
)


class Killed(BaseException):
    """Ends the run, like SIGKILL."""


@dataclass
class Bench:
    """A loop device, a host for it, and the programs that ran."""

    host: Host
    image: Path
    node: str
    ran: list[str]
    kill: list[int]

    def kill_after(self, commands: int | None) -> None:
        """End the next run after this number of commands, like SIGKILL; None for never."""
        self.kill[:] = [] if commands is None else [commands]

    def part(self, number: int) -> str:
        return f"{self.node}p{number}"

    def disk(self, *partitions: dict[str, Any], **more: Any) -> Disk:
        return Disk(device=self.node, partitions=tuple(Partition(**each) for each in partitions), **more)

    def apply(self, *disks: Disk, filesystems: tuple[Filesystem, ...] = ()) -> list[str]:
        """Run the stage; returns the programs that were started."""
        self.ran.clear()
        performed(DISKS, Config(storage=Storage(disks=disks, filesystems=filesystems)), self.host, State())
        return list(self.ran)

    def table(self) -> gpt.Table | None:
        sector_size = blocks.disk("/", self.node).sector_size
        return gpt.primary(
            lambda offset, length: blocks.read("/", self.node, offset, length),
            sector_size,
            SIZE // sector_size,
        )

    def entries(self) -> list[tuple[int, int, int, str]]:
        table = self.table()
        assert table is not None
        return [(entry.number, entry.start, entry.size, entry.label) for entry in table.entries]

    def content(self) -> str:
        """Return a digest of the whole disk."""
        os.sync()
        digest = hashlib.sha256()
        with self.image.open("rb") as file:
            for offset, length in _extents(file.fileno()):
                data = os.pread(file.fileno(), length, offset)
                for at in range(0, length, 4096):
                    if any(block := data[at : at + 4096]):
                        digest.update((offset + at).to_bytes(8) + block)
        return digest.hexdigest()

    def type_of(self, device: str) -> str:
        shown = run(Command(("blkid", "-p", "-o", "value", "-s", "TYPE", device), "", ok=(0, 2, 8)))
        return shown.stdout.strip()


def _extents(descriptor: int) -> Iterator[tuple[int, int]]:
    """Return the data extents of a sparse file as (offset, length)."""
    end = os.fstat(descriptor).st_size
    hole = 0
    while hole < end:
        try:
            data = os.lseek(descriptor, hole, os.SEEK_DATA)
        except OSError:
            return
        hole = os.lseek(descriptor, data, os.SEEK_HOLE)
        yield data, hole - data


@contextmanager
def bench_with(directory: Path, sector_size: int) -> Iterator[Bench]:
    ran: list[str] = []
    kill: list[int] = []

    def recorded(command: Command) -> Ran:
        ran.append(command.program)
        answer = run(command)
        if kill and len(ran) >= kill[0]:
            raise Killed
        return answer

    image = directory / "disk"
    with loop.attached(image, SIZE, sector_size=sector_size) as node:
        yield Bench(loop.machine(directory, runner=recorded), image, node, ran, kill)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_with(tmp_path, 512) as made:
        yield made


def fs(device: str, format_: str, **more: Any) -> Filesystem:
    return Filesystem(device=device, format=format_, **more)


def test_disks_from_nothing_and_second_run(bench: Bench) -> None:
    disk = bench.disk({"number": 1, "size_mib": 64, "label": "data"}, {"number": 2, "label": "more"})
    wanted = (
        fs(bench.part(1), "ext4", label="DATA"),
        fs(bench.part(2), "xfs", uuid="aaaaaaaa-1111-2222-3333-444444444444"),
    )
    first = bench.apply(disk, filesystems=wanted)
    assert sorted(first) == ["mkfs.ext4", "mkfs.xfs", "partx", "sfdisk", "wipefs"]
    assert bench.entries() == [(1, 2048, 131072, "data"), (2, 133120, SECTORS - 34 - 133120 + 1, "more")]
    kernel = blocks.partitions("/", bench.node)
    assert {number: (part.start, part.size) for number, part in kernel.items()} == {
        number: (start, size) for number, start, size, _ in bench.entries()
    }
    assert (bench.type_of(bench.part(1)), bench.type_of(bench.part(2))) == ("ext4", "xfs")

    before = bench.content()
    assert bench.apply(disk, filesystems=wanted) == ["wipefs", "blkid", "blkid"]
    assert bench.content() == before


def test_disk_with_4096_byte_sectors(tmp_path: Path) -> None:
    with bench_with(tmp_path, 4096) as bench:
        disk = bench.disk({"number": 1, "size_mib": 64}, {"label": "rest"})
        bench.apply(disk, filesystems=(fs(bench.part(2), "ext4"),))
        assert bench.entries() == [(1, 256, 16384, ""), (2, 16640, 131072 - 6 - 16640 + 1, "rest")]
        assert blocks.partitions("/", bench.node)[1].size == 64 * 2048
        assert bench.apply(disk) == []


def test_number_zero_in_three_runs_creates_one_partition(bench: Bench) -> None:
    disk = bench.disk({"label": "data", "size_mib": 64})
    for _ in range(3):
        bench.apply(disk)
    assert bench.entries() == [(1, 2048, 131072, "data")]


def test_mismatch_is_refused_and_nothing_is_written(bench: Bench) -> None:
    bench.apply(bench.disk({"number": 1, "size_mib": 64, "label": "data"}))
    before = bench.content()
    with pytest.raises(Refused, match='label is "data", want "other"; sizeMiB is 64 MiB, want 65 MiB'):
        bench.apply(bench.disk({"number": 1, "size_mib": 65, "label": "other"}, {"number": 2}))
    assert (bench.ran, bench.content()) == ([], before)


def test_resize_keeps_other_attributes(bench: Bench) -> None:
    bench.apply(bench.disk({"number": 1, "size_mib": 64, "label": "data"}, {"number": 2, "size_mib": 64}))
    guid = bench.table().entries[0].guid  # type: ignore[union-attr]
    gone = {"number": 2, "should_exist": False, "wipe_partition_entry": True}
    bench.apply(bench.disk({"number": 1, "size_mib": 0, "resize": True}, gone))
    assert bench.entries() == [(1, 2048, SECTORS - 34 - 2048 + 1, "data")]
    assert bench.table().entries[0].guid == guid  # type: ignore[union-attr]
    assert list(blocks.partitions("/", bench.node)) == [1]


def test_one_of_three_partitions_is_replaced(bench: Bench) -> None:
    bench.apply(bench.disk(*({"number": number, "size_mib": 16} for number in (1, 2, 3))))
    before = bench.table()
    assert before is not None
    bench.apply(bench.disk({"number": 2, "size_mib": 8, "label": "new", "wipe_partition_entry": True}))
    after = bench.table()
    assert after is not None
    assert [entry for entry in after.entries if entry.number != 2] == [before.entries[0], before.entries[2]]
    # The largest free block is behind the third partition.
    assert bench.entries()[1] == (2, 2048 + 3 * 32768, 16384, "new")
    assert blocks.partitions("/", bench.node)[2].size == 16384


def test_mounted_partition_is_refused_and_others_change(bench: Bench, tmp_path: Path) -> None:
    disk = bench.disk({"number": 1, "size_mib": 64}, {"number": 2, "size_mib": 64})
    bench.apply(disk, filesystems=(fs(bench.part(1), "ext4"),))
    at = tmp_path / "mounted"
    at.mkdir()
    run(Command(("mount", bench.part(1), str(at)), ""))
    try:
        with pytest.raises(Refused, match=rf"cannot delete partition 1 of {bench.node}"):
            bench.apply(bench.disk({"number": 1, "should_exist": False, "wipe_partition_entry": True}))
        with pytest.raises(Refused, match=r"cannot wipe the partition table of .*: partition 1 is in use"):
            bench.apply(bench.disk(wipe_table=True))
        with pytest.raises(Refused, match=f"cannot create a filesystem on {bench.part(1)}: in use"):
            bench.apply(filesystems=(fs(bench.part(1), "ext4", wipe_filesystem=True),))
        gone = {"number": 2, "should_exist": False, "wipe_partition_entry": True}
        bench.apply(bench.disk({"number": 1, "size_mib": 64}, gone, {"number": 5, "size_mib": 3}))
    finally:
        run(Command(("umount", str(at)), ""))
    assert [entry[0] for entry in bench.entries()] == [1, 5]
    assert sorted(blocks.partitions("/", bench.node)) == [1, 5]


def test_mbr_is_refused_unless_wiped(bench: Bench) -> None:
    sector = gptimage.boot_sector((0x83, 2048, 20480), code=b"boot code")
    with open(bench.node, "r+b") as file:
        file.write(sector)
    disk = bench.disk({"number": 1, "size_mib": 64})
    with pytest.raises(Refused) as caught:
        bench.apply(disk)
    assert str(caught.value) == f"$.storage.disks.0: {bench.node} has an MBR partition table"
    assert caught.value.hint == "set wipeTable: true to replace it, or change the device"
    assert blocks.read("/", bench.node, 0, 512) == sector
    assert bench.ran == ["blkid"]

    bench.apply(disk.evolve(wipe_table=True))
    assert bench.entries() == [(1, 2048, 131072, "")]
    assert blocks.read("/", bench.node, 0, 440) == bytes(440)


def test_wipe_replaces_table_and_keeps_partition_contents(bench: Bench) -> None:
    parts = ({"number": 1, "size_mib": 64}, {"number": 2, "size_mib": 64}, {"number": 3})
    bench.apply(bench.disk(*parts), filesystems=(fs(bench.part(1), "ext4"),))
    assert bench.apply(
        bench.disk({"number": 1, "size_mib": 64}, wipe_table=True), filesystems=(fs(bench.part(1), "ext4"),)
    ) == ["blkid", "sfdisk", "partx", "wipefs", "blkid"]
    assert [entry[0] for entry in bench.entries()] == [1]
    assert list(blocks.partitions("/", bench.node)) == [1]


def test_stale_filesystem_under_new_partition_is_refused_before_any_write(bench: Bench) -> None:
    """The reference finds such a signature only after it wrote the new table."""
    parts = ({"number": 1, "size_mib": 64}, {"number": 2, "size_mib": 64}, {"number": 3})
    made = (fs(bench.part(1), "ext4"), fs(bench.part(2), "vfat"), fs(bench.part(3), "swap"))
    bench.apply(bench.disk(*parts), filesystems=made)
    before = bench.content()
    again = bench.disk(
        {"number": 5, "size_mib": 64, "label": "one"}, {"number": 6, "size_mib": 64}, {"number": 7},
        wipe_table=True,
    )  # fmt: skip
    wanted = (
        fs("/dev/disk/by-partlabel/one", "xfs"),
        fs(bench.part(6), "ext4", wipe_filesystem=True),
        fs(bench.part(7), "none"),
    )
    with pytest.raises(Refused) as caught:
        bench.apply(again, filesystems=wanted)
    assert str(caught.value).splitlines() == [
        (
            "$.storage.filesystems.0.wipeFilesystem: existing filesystem on /dev/disk/by-partlabel/one does "
            "not match the config: found ext4, want xfs"
        ),
        (
            f"$.storage.filesystems.2.wipeFilesystem: existing filesystem on {bench.part(7)} does not match "
            "the config: found swap, want none"
        ),
    ]
    assert (bench.ran, bench.content()) == (["blkid", "blkid"], before)


def test_stale_filesystem_of_deleted_partition_is_refused_before_any_write(bench: Bench) -> None:
    bench.apply(bench.disk({"number": 1, "size_mib": 64}), filesystems=(fs(bench.part(1), "ext4"),))
    before = bench.content()
    gone = {"number": 1, "should_exist": False, "wipe_partition_entry": True}
    with pytest.raises(Refused, match="found ext4, want vfat"):
        bench.apply(bench.disk(gone, {"number": 2}), filesystems=(fs(bench.part(2), "vfat"),))
    assert (bench.ran, bench.content()) == (["blkid"], before)


def test_wipe_alone_leaves_no_table(bench: Bench) -> None:
    bench.apply(bench.disk({"number": 1}))
    assert bench.apply(bench.disk(wipe_table=True)) == ["partx"]
    assert not any(blocks.read("/", bench.node, 0, 34 * 512))
    assert not any(blocks.read("/", bench.node, SIZE - 33 * 512, 33 * 512))
    assert blocks.partitions("/", bench.node) == {}
    assert bench.apply(bench.disk(wipe_table=True)) == []


@pytest.mark.parametrize("offset", [512 + 40, 1024 + 3])
def test_damaged_primary_table_is_repaired_from_backup(bench: Bench, offset: int) -> None:
    bench.apply(bench.disk({"number": 1, "size_mib": 64, "label": "data"}))
    with open(bench.node, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff\xff")
    assert bench.table() is None
    bench.apply(bench.disk({"number": 1, "label": "data"}, {"number": 2, "size_mib": 1}))
    assert [(entry[0], entry[3]) for entry in bench.entries()] == [(1, "data"), (2, "")]


def test_misfit_is_refused_and_nothing_is_written(bench: Bench) -> None:
    with pytest.raises(Refused, match=r"cannot create partition 2 of .*: it needs 400 MiB at 201 MiB"):
        bench.apply(bench.disk({"number": 1, "size_mib": 200}, {"number": 2, "size_mib": 400}))
    assert bench.ran == []
    assert not any(blocks.read("/", bench.node, 0, 17408))


@pytest.mark.parametrize("boundary", range(1, 9))
def test_result_after_kill_at_any_command_equals_clean_run(bench: Bench, boundary: int) -> None:
    bench.apply(
        bench.disk(
            {"number": 1, "size_mib": 64, "label": "grows"}, {"number": 2, "size_mib": 64, "label": "goes"}
        ),
        filesystems=(fs(bench.part(1), "ext4"), fs(bench.part(2), "swap")),
    )
    before = bench.table()
    assert before is not None
    disk = bench.disk(
        {"number": 1, "size_mib": 100, "label": "grows", "resize": True},
        {"number": 2, "should_exist": False, "wipe_partition_entry": True},
        # The new partition gets the number of the deleted one.
        {"label": "new", "size_mib": 32, "wipe_partition_entry": True},
        {"number": 7, "label": "more", "size_mib": 32},
    )
    filesystems = (
        fs(bench.part(1), "ext4"),
        fs(bench.part(7), "ext4"),
        fs(bench.part(2), "swap", wipe_filesystem=True),
    )

    bench.kill_after(boundary)
    with contextlib.suppress(Killed):
        bench.apply(disk, filesystems=filesystems)
    bench.kill_after(None)
    bench.apply(disk, filesystems=filesystems)

    after = bench.table()
    assert after is not None
    assert [(entry.number, entry.size, entry.label) for entry in after.entries] == [
        (1, 204800, "grows"),
        (2, 65536, "new"),
        (7, 65536, "more"),
    ]
    assert after.entries[0].guid == before.entries[0].guid
    assert [bench.type_of(bench.part(number)) for number in (1, 2, 7)] == ["ext4", "swap", "ext4"]
    assert bench.apply(disk, filesystems=filesystems[:2]) == ["wipefs", "blkid", "blkid"]


# Filesystems.

MAKERS = {"ext4": ["mkfs.ext4", "-q"], "xfs": ["mkfs.xfs", "-q"], "vfat": ["mkfs.fat"], "swap": ["mkswap"]}


@pytest.mark.parametrize("wanted", [*MAKERS, "none"])
@pytest.mark.parametrize("there", MAKERS)
def test_existing_contents_are_kept_or_refused_to_the_byte(bench: Bench, there: str, wanted: str) -> None:
    subprocess.run([*MAKERS[there], bench.node], check=True, capture_output=True)
    before = bench.content()
    if there == wanted:
        bench.apply(filesystems=(fs(bench.node, wanted),))
    else:
        with pytest.raises(Refused, match=f"found {there}, want {wanted}"):
            bench.apply(filesystems=(fs(bench.node, wanted),))
    assert bench.content() == before


@pytest.mark.parametrize("wanted", [*MAKERS, "none"])
def test_existing_contents_are_replaced_when_wiped(bench: Bench, wanted: str) -> None:
    subprocess.run(["mkfs.ext4", "-q", bench.node], check=True)
    bench.apply(filesystems=(fs(bench.node, wanted, wipe_filesystem=True),))
    assert bench.type_of(bench.node) == ("" if wanted == "none" else wanted)


@pytest.mark.parametrize(
    ("type_", "offset", "data"),
    [
        ("crypto_LUKS", 0, b"LUKS\xba\xbe\x00\x01"),
        ("squashfs", 0, b"hsqs" + bytes(24) + b"\x04\x00"),
        ("iso9660", 32768, b"\x01CD001"),
    ],
)
def test_foreign_signatures_survive(bench: Bench, type_: str, offset: int, data: bytes) -> None:
    with open(bench.node, "r+b") as file:
        file.seek(offset)
        file.write(data)
    before = bench.content()
    with pytest.raises(Refused, match=f"found {type_}, want ext4"):
        bench.apply(filesystems=(fs(bench.node, "ext4"),))
    assert bench.content() == before


def test_label_and_uuid_mismatch_is_refused(bench: Bench) -> None:
    wanted = fs(bench.node, "ext4", label='a "b" é', uuid="AAAAAAAA-1111-2222-3333-444444444444")
    bench.apply(filesystems=(wanted,))
    assert bench.apply(filesystems=(wanted,)) == ["wipefs", "blkid"]
    with pytest.raises(Refused, match='label is "a "b" é", want "other"'):
        bench.apply(filesystems=(wanted.evolve(label="other"),))


def test_options_reach_mkfs(bench: Bench) -> None:
    bench.apply(filesystems=(fs(bench.node, "ext4", options=("-O", "^has_journal", "-N", "128")),))
    raw = blocks.read("/", bench.node, 1024, 1024)
    assert int.from_bytes(raw[0:4], "little") == 128
    assert not int.from_bytes(raw[92:96], "little") & 0x4


def test_mkfs_complaint_about_small_device_is_shown(bench: Bench) -> None:
    """mkfs.xfs adds fifty lines of usage after its complaint."""
    disk = bench.disk({"number": 1, "size_mib": 16})
    with pytest.raises(ActionFailed) as caught:
        bench.apply(disk, filesystems=(fs(bench.part(1), "xfs"),))
    assert str(caught.value) == (
        f"creating xfs on {bench.part(1)}: mkfs.xfs failed: Filesystem must be larger than 300MB."
    )
    assert caught.value.path == ("storage", "filesystems", 0)


def test_missing_disk_is_an_error(bench: Bench) -> None:
    with pytest.raises(IgnitionError) as caught:
        bench.apply(Disk(device="/dev/disk/by-id/missing"))
    assert "/dev/disk/by-id/missing ($.storage.disks.0) not found: timed out after 2 s" in str(caught.value)
    assert bench.node in str(caught.value)
