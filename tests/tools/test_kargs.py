"""The protocol of the kernel argument helper, and what our own helper calls."""

from __future__ import annotations

import subprocess

import pytest

from ignition.bootloader.candidates import COLUMNS, parse
from ignition.tools.kargs import list_devices, reboot, remount_writable, set_arguments, settle


def test_first_those_that_should_be_there() -> None:
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


def test_what_our_own_helper_calls() -> None:
    assert [command.real_argv() for command in (settle(), remount_writable("/m"), reboot())] == [
        ["udevadm", "settle", "--timeout=30"],
        ["mount", "-o", "remount,rw", "/m"],
        ["systemctl", "reboot", "--force"],
    ]


@pytest.mark.real_commands("lsblk")
def test_devices_are_listed_as_lsblk_really_does() -> None:
    argv = list_devices(COLUMNS).real_argv()
    assert argv == ["lsblk", "--json", "--list", "--paths", "--output", ",".join(COLUMNS)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert all(device.path.startswith("/dev/") for device in parse(ran.stdout))
