# SPDX-License-Identifier: Apache-2.0
"""The mount table and the processes that use a mount."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ignition.host import mounts
from ignition.host.mounts import Mount


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        (
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
            Mount("/mnt2", "/dev/root", "ext3", "98:0"),
        ),
        ("22 1 0:21 / /proc rw - proc proc rw\n", Mount("/proc", "proc", "proc", "0:21")),
        (
            "40 1 8:1 / /a\\040b\\134c rw shared:1 master:2 - vfat /dev/disk/by-label/x\\040y rw\n",
            Mount("/a b\\c", "/dev/disk/by-label/x y", "vfat", "8:1"),
        ),
        ("41 1 0:50 / /shared rw - virtiofs tag rw\n", Mount("/shared", "tag", "virtiofs", "0:50")),
    ],
)
def test_parse_reads_mountinfo_lines(line: str, mount: Mount) -> None:
    assert mounts.parse(line) == mount


def test_mounted_reads_this_machine() -> None:
    found = mounts.mounted("/")
    assert any(mount.target == "/proc" and mount.format == "proc" for mount in found)


def test_processes_using_names_processes_with_open_files(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        (found,) = [name for name in mounts.processes_using("/", str(tmp_path)) if f"({os.getpid()})" in name]
    assert found.endswith(f" ({os.getpid()})")
    assert f"({os.getpid()})" not in " ".join(mounts.processes_using("/", str(tmp_path)))
