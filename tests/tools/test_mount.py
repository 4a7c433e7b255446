# SPDX-License-Identifier: Apache-2.0
"""mount and umount: command lines."""

from __future__ import annotations

from ignition.tools import mount


def test_mount_with_and_without_options() -> None:
    assert mount.mount("ext4", "/dev/v", "/sysroot/var").argv == (
        "mount",
        "-t",
        "ext4",
        "/dev/v",
        "/sysroot/var",
    )
    with_options = mount.mount("xfs", "/dev/v", "/t", ("noatime", "pquota"))
    assert with_options.argv == ("mount", "-o", "noatime,pquota", "-t", "xfs", "/dev/v", "/t")
    assert with_options.why == "mounting /dev/v at /t"


def test_umount_takes_all_targets_at_once() -> None:
    assert mount.umount(["/a/b", "/a"]).argv == ("umount", "/a/b", "/a")
