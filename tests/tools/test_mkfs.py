"""The command lines of the programs that make filesystems; engine.md 9.3.4 point 4."""

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
def test_options_of_the_config_come_first(format_: str, uuid: str, argv: list[str]) -> None:
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
def test_what_is_not_given_is_not_said(format_: str, argv: list[str]) -> None:
    assert list(mkfs.make(format_, "/dev/v").argv) == argv


def test_an_empty_label_is_handed_over() -> None:
    assert mkfs.make("ext4", "/dev/v", label="").argv == ("mkfs.ext4", "-F", "-L", "", "/dev/v")


def test_formats() -> None:
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
def test_what_comes_before_the_usage_is_the_complaint(stderr: str, said: str) -> None:
    assert mkfs.complaint(stderr) == said


def test_every_format_has_a_program() -> None:
    assert {format_: mkfs.program_for(format_) for format_ in sorted(mkfs.FORMATS)} == {
        "btrfs": "mkfs.btrfs",
        "ext4": "mkfs.ext4",
        "swap": "mkswap",
        "vfat": "mkfs.fat",
        "xfs": "mkfs.xfs",
    }
