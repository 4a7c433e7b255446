# SPDX-License-Identifier: Apache-2.0
"""The kernel arguments helper of the distribution, and the programs that our own helper runs.

The helper knows the boot loader. It reboots after a change, and the next boot starts again.
Source: docs/reference/stages.md, "kargs stage".
"""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host.command import Command

__all__ = ["list_devices", "reboot", "remount_writable", "set_arguments", "settle"]


def set_arguments(should_exist: Iterable[str], should_not_exist: Iterable[str]) -> Command:
    """Make the machine boot with the first and without the second arguments."""
    words = [word for argument in should_exist for word in ("--should-exist", argument)]
    words += [word for argument in should_not_exist for word in ("--should-not-exist", argument)]
    return Command(("ignition-kargs-helper", *words), "setting kernel arguments")


def settle() -> Command:
    """Wait until udev has processed all events; exit status 1 after the time limit."""
    return Command(("udevadm", "settle", "--timeout=30"), "waiting for udev", ok=(0, 1))


def list_devices(columns: Iterable[str]) -> Command:
    """List all block devices with these columns as a flat JSON list."""
    output = ",".join(columns)
    return Command(("lsblk", "--json", "--list", "--paths", "--output", output), "listing block devices")


def remount_writable(target: str) -> Command:
    """Remount a filesystem read-write."""
    return Command(("mount", "-o", "remount,rw", target), f"mounting {target} for writing")


def reboot() -> Command:
    """Reboot without stopping units, because the root filesystem is not mounted yet.

    The program returns while systemd kills all processes.
    """
    return Command(("systemctl", "reboot", "--force"), "rebooting with the new kernel arguments")
