# SPDX-License-Identifier: Apache-2.0
"""Command lines of mkfs programs; docs/reference/stages.md, "disks stage: filesystems"."""

from __future__ import annotations

import pytest

from ignition.tools import mkfs

UUID = "AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE"
LOWER = UUID.lower()


@pytest.mark.parametrize(
    ("format_", "uuid", "argv"),
    [
        ("btrfs", UUID, ["mkfs.btrfs", "-x", "y", "--force", "-U", LOWER, "-L", "data", "/dev/v"]),
        ("ext4", UUID, ["mkfs.ext4", "-x", "y", "-F", "-U", LOWER, "-L", "data", "/dev/v"]),
        ("xfs", UUID, ["mkfs.xfs", "-x", "y", "-f", "-m", f"uuid={LOWER}", "-L", "data", "/dev/v"]),
        ("swap", UUID, ["mkswap", "-x", "y", "-f", "-U", LOWER, "-L", "data", "/dev/v"]),
        ("vfat", "ABCD-1234", ["mkfs.fat", "-x", "y", "-i", "abcd1234", "-n", "data", "/dev/v"]),
    ],
)
def test_make_puts_options_of_the_config_first(format_: str, uuid: str, argv: list[str]) -> None:
    command = mkfs.make(
        format_, "/dev/v", options=("-x", "y"), uuid=uuid, label="data", shown_as="/dev/shown"
    )
    assert list(command.argv) == argv
    assert command.why == f"creating {format_} on /dev/shown"


@pytest.mark.parametrize(
    ("format_", "argv"),
    [
        ("btrfs", ["mkfs.btrfs", "--force", "/dev/v"]),
        ("ext4", ["mkfs.ext4", "-F", "/dev/v"]),
        ("xfs", ["mkfs.xfs", "-f", "/dev/v"]),
        ("swap", ["mkswap", "-f", "/dev/v"]),
        ("vfat", ["mkfs.fat", "/dev/v"]),
    ],
)
def test_make_without_options(format_: str, argv: list[str]) -> None:
    assert list(mkfs.make(format_, "/dev/v").argv) == argv


def test_make_passes_an_empty_label() -> None:
    assert mkfs.make("ext4", "/dev/v", label="").argv == ("mkfs.ext4", "-F", "-L", "", "/dev/v")


def test_formats_are_supported() -> None:
    assert sorted(mkfs.FORMATS) == ["btrfs", "ext4", "swap", "vfat", "xfs"]


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            "Filesystem must be larger than 300MB.\nUsage: mkfs.xfs\n/* blocksize */ [-b size=num]\n",
            ("Filesystem must be larger than 300MB."),
        ),
        ("too\n small\nUsage: x\n", "too small"),
        ("ERROR: /dev/x is mounted\n", ""),
        ("", ""),
    ],
)
def test_error_before_usage_is_extracted(stderr: str, said: str) -> None:
    assert mkfs.error_before_usage(stderr) == said


def test_program_for_every_format() -> None:
    assert {format_: mkfs.program_for(format_) for format_ in sorted(mkfs.FORMATS)} == {
        "btrfs": "mkfs.btrfs",
        "ext4": "mkfs.ext4",
        "swap": "mkswap",
        "vfat": "mkfs.fat",
        "xfs": "mkfs.xfs",
    }
