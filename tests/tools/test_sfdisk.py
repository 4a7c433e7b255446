# SPDX-License-Identifier: Apache-2.0
"""sfdisk: command lines and scripts, and its tables compared with sgdisk's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ignition.host.run import run
from ignition.tools import gpt, sfdisk
from ignition.tools.sfdisk import NewPartition
from tests.lab import gptimage

EFI = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
ONE = "11111111-2222-3333-4444-555555555555"
KEEP = ("--wipe", "never", "--wipe-partitions", "never", "--no-reread", "--quiet")


def test_create_is_one_script() -> None:
    command = sfdisk.create(
        "/dev/vdb",
        34,
        [NewPartition(1, 2048, 4096, "boot", EFI, ONE), NewPartition(9, 8192, 100)],
        shown_as="/dev/disk/by-id/x",
    )
    assert command.argv == ("sfdisk", *KEEP, "/dev/vdb")
    assert command.stdin is not None
    assert command.stdin.decode().splitlines() == [
        "label: gpt",
        "first-lba: 34",
        f'1 : start=2048, size=4096, type={EFI}, uuid={ONE}, name="boot"',
        "9 : start=8192, size=100",
    ]
    assert command.why == "creating the partition table of /dev/disk/by-id/x"


def test_delete_append_resize_command_lines() -> None:
    gone = sfdisk.delete("/dev/vdb", [3, 4], shown_as="/dev/x")
    assert gone.argv == ("sfdisk", "--no-reread", "--quiet", "--delete", "/dev/vdb", "3", "4")
    assert gone.why == "deleting partitions 3, 4 of /dev/x"

    more = sfdisk.append("/dev/vdb", [NewPartition(3, 5, 6)], shown_as="/dev/x")
    assert more.argv == ("sfdisk", *KEEP, "--append", "/dev/vdb")
    assert (more.stdin, more.why) == (b"3 : start=5, size=6\n", "creating partition 3 of /dev/x")

    other = sfdisk.resize("/dev/vdb", 4, 77, shown_as="/dev/x")
    assert other.argv == ("sfdisk", *KEEP, "--partno", "4", "/dev/vdb")
    assert (other.stdin, other.why) == (b"size=77\n", "resizing partition 4 of /dev/x")


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("plain one", "plain one"),
        ('a"b', r"a\x22b"),
        ("a\\b", r"a\x5cb"),
        ("tab\t", r"tab\x09"),
        ("é,=x", "é,=x"),
    ],
)
def test_label_is_escaped(label: str, written: str) -> None:
    assert NewPartition(1, 2, 3, label).line() == f'1 : start=2, size=3, name="{written}"'


def test_missing_and_empty_label_set_no_name() -> None:
    assert NewPartition(1, 2, 3, None).line() == NewPartition(1, 2, 3, "").line() == "1 : start=2, size=3"


# Written tables.

guids = st.uuids(version=4).map(str)
labels = st.text(
    st.characters(min_codepoint=1, max_codepoint=0x24F, exclude_characters=":", exclude_categories=["Cs"]),
    min_size=1,
    max_size=36,
)
partitions = st.lists(
    st.tuples(st.integers(1, 128), st.integers(1, 3), labels, st.sampled_from([EFI, gptimage.LINUX]), guids),
    max_size=6,
    unique_by=(lambda each: each[0], lambda each: each[4]),
)


@pytest.mark.real_commands("sfdisk", "sgdisk")
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(partitions)
def test_new_table_equals_that_of_sgdisk_except_chs(
    tmp_path: Path, drawn: list[tuple[int, int, str, str, str]]
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for image in (ours, theirs):
        image.unlink(missing_ok=True)
        image.touch()
        os.truncate(image, 64 << 20)
    start, new = 2048, []
    for number, mib, label, type_, guid in drawn:
        new.append(NewPartition(number, start, mib * 2048, label.strip("\0") or "x", type_, guid))
        start += mib * 2048
    run(sfdisk.create(str(ours), 34, new, shown_as="ours"))
    options = ["--clear"]
    for part in new:
        options += [
            f"--new={part.number}:{part.start}:+{part.size}",
            f"--change-name={part.number}:{part.label}",
            f"--typecode={part.number}:{part.type_guid}",
            f"--partition-guid={part.number}:{part.guid}",
        ]
    subprocess.run(["sgdisk", *options, theirs], check=True, capture_output=True)

    assert read(ours) == read(theirs)
    one, other = ours.read_bytes(), theirs.read_bytes()
    different = {place for place in range(len(one[:17408])) if one[place] != other[place]}
    end_in_chs, disk_guid = range(451, 454), range(512 + 56, 512 + 72)
    checksums = range(512 + 16, 512 + 20)
    assert different <= {*end_in_chs, *disk_guid, *checksums}


@pytest.mark.real_commands("sfdisk")
def test_existing_table_keeps_boot_code_and_other_entries(tmp_path: Path) -> None:
    parts = [
        gptimage.Part(1, 2048, 2048, "one"),
        gptimage.Part(2, 4096, 2048, "two"),
        gptimage.Part(3, 6144, 2048),
    ]
    image = gptimage.write(tmp_path / "disk", 64 << 20, parts)
    code = bytes(range(256)) + bytes(range(184))
    with image.open("r+b") as file:
        file.write(code)
    before = {entry.number: entry for entry in read(image).entries}

    run(sfdisk.delete(str(image), [2], shown_as="x"))
    run(sfdisk.resize(str(image), 1, 4096, shown_as="x"))
    run(
        sfdisk.append(
            str(image), [NewPartition(2, 8192, 100, "new"), NewPartition(50, 9000, 1)], shown_as="x"
        )
    )

    after = {entry.number: entry for entry in read(image).entries}
    assert image.read_bytes()[:440] == code
    assert after[3] == before[3]
    assert (after[1].start, after[1].size, after[1].label, after[1].guid) == (
        2048,
        4096,
        "one",
        before[1].guid,
    )
    assert (after[2].start, after[2].size, after[2].label) == (8192, 100, "new")
    assert (after[50].start, after[50].size) == (9000, 1)


@pytest.mark.real_commands("sfdisk", "sgdisk")
def test_append_on_grown_disk_moves_the_backup_like_sgdisk(tmp_path: Path) -> None:
    images = [tmp_path / "ours", tmp_path / "theirs"]
    for image in images:
        gptimage.write(image, 64 << 20, [gptimage.Part(1, 2048, 2048, "one")])
        os.truncate(image, 96 << 20)
    new = NewPartition(2, 8192, 100, "two", guid=ONE)
    run(sfdisk.append(str(images[0]), [new], shown_as="x"))
    options = ["--new=2:8192:+100", "--change-name=2:two", f"--partition-guid=2:{ONE}"]
    subprocess.run(["sgdisk", *options, images[1]], check=True, capture_output=True)
    ours, theirs = map(read, images)
    assert ours == theirs
    assert ours.last_usable == (96 << 20) // 512 - 34


@pytest.mark.real_commands("sfdisk")
def test_partition_that_does_not_fit_writes_nothing(tmp_path: Path) -> None:
    image = gptimage.write(tmp_path / "disk", 64 << 20, [gptimage.Part(1, 2048, 2048)])
    before = image.read_bytes()
    for command in (
        sfdisk.append(str(image), [NewPartition(2, 9000, 1), NewPartition(3, 3000, 5)], shown_as="x"),
        sfdisk.append(str(image), [NewPartition(1, 9000, 1)], shown_as="x"),
        sfdisk.resize(str(image), 1, 1 << 20, shown_as="x"),
        sfdisk.delete(str(image), [7], shown_as="x"),
    ):
        with pytest.raises(Exception, match="exit status 1"):
            run(command)
    assert image.read_bytes() == before


def read(image: Path) -> gpt.Table:
    with image.open("rb") as file:
        sectors = image.stat().st_size // 512
        table = gpt.primary(lambda offset, length: os.pread(file.fileno(), length, offset), 512, sectors)
    assert table is not None
    return table
