# SPDX-License-Identifier: Apache-2.0
"""modprobe: command line."""

from __future__ import annotations

from ignition.tools import modprobe


def test_load_command_line() -> None:
    command = modprobe.load(["ext4", "xfs"])
    assert command.argv == ("modprobe", "--quiet", "--all", "ext4", "xfs")
    assert command.ok == (0, 1)
    assert command.why == "loading the kernel modules ext4, xfs"
