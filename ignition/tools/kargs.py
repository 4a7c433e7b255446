"""The distribution's helper for kernel arguments: only it knows the boot loader. And what our own one calls.

It reboots when it has changed anything; the next boot starts over. Source: engine.md 9.2.
"""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host.command import Command

__all__ = ["list_devices", "reboot", "remount_writable", "set_arguments", "settle"]


def set_arguments(should_exist: Iterable[str], should_not_exist: Iterable[str]) -> Command:
    """See to it that the machine boots with the first and without the second."""
    words = [word for argument in should_exist for word in ("--should-exist", argument)]
    words += [word for argument in should_not_exist for word in ("--should-not-exist", argument)]
    return Command(("ignition-kargs-helper", *words), "setting kernel arguments")


def settle() -> Command:
    """Wait until udev has looked at all disks that the kernel has found up to now; status 1 if it goes on."""
    return Command(("udevadm", "settle", "--timeout=30"), "waiting for udev", ok=(0, 1))


def list_devices(columns: Iterable[str]) -> Command:
    """All block devices with these columns, as a flat list in JSON."""
    output = ",".join(columns)
    return Command(("lsblk", "--json", "--list", "--paths", "--output", output), "listing block devices")


def remount_writable(target: str) -> Command:
    """Let a filesystem that is mounted read-only be written."""
    return Command(("mount", "-o", "remount,rw", target), f"mounting {target} for writing")


def reboot() -> Command:
    """Reboot at once, without stopping units: the root filesystem is not even mounted yet.

    It comes back while systemd is about to end all processes.
    """
    return Command(("systemctl", "reboot", "--force"), "rebooting with the new kernel arguments")
