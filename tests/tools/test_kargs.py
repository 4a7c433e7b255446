# SPDX-License-Identifier: Apache-2.0
"""The kernel arguments helper: its command line, and the programs that it runs."""

from __future__ import annotations

import subprocess

import pytest

from ignition.bootloader.candidates import COLUMNS, parse
from ignition.tools.kargs import list_devices, reboot, remount_writable, set_arguments, settle


def test_set_arguments_command_line() -> None:
    assert set_arguments(["a", "b=c d"], ["e"]).real_argv() == [
        *(
            "ignition-kargs-helper",
            "--should-exist",
            "a",
            "--should-exist",
            "b=c d",
            "--should-not-exist",
            "e",
        )
    ]


def test_command_lines_of_our_helper() -> None:
    assert [command.real_argv() for command in (settle(), remount_writable("/m"), reboot())] == [
        ["udevadm", "settle", "--timeout=30"],
        ["mount", "-o", "remount,rw", "/m"],
        ["systemctl", "reboot", "--force"],
    ]


@pytest.mark.real_commands("lsblk")
def test_list_devices_with_real_lsblk() -> None:
    argv = list_devices(COLUMNS).real_argv()
    assert argv == ["lsblk", "--json", "--list", "--paths", "--output", ",".join(COLUMNS)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert all(device.path.startswith("/dev/") for device in parse(ran.stdout))
