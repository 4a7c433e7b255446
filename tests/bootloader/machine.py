# SPDX-License-Identifier: Apache-2.0
"""A machine with directories as disks; fake programs mount them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ignition.bootloader.candidates import COLUMNS
from ignition.bootloader.helper import Helper
from ignition.host.command import Command, Ran
from tests.host.fakes import FakeRun

__all__ = ["Machine", "Rebooted"]


class Rebooted(BaseException):
    """Ends the helper, like a real reboot: not an `Exception`."""


class Machine:
    """Devices and their files below `directory`; `line` is the command line of the running kernel."""

    def __init__(self, directory: Path, line: str = "root=LABEL=root ro quiet") -> None:
        self.directory = directory
        self.system = directory / "system"
        self.devices: dict[str, dict[str, str]] = {}
        self.read_only: set[str] = set()
        self.broken: set[str] = set()
        self.mounted: dict[str, str] = {}
        self.log: list[str] = []
        self.slept = 0.0
        for folder in ("proc/sys/kernel/random", "dev", "run", "sys/firmware/efi/efivars"):
            (self.system / folder).mkdir(parents=True)
        self.start(line)
        self.run = FakeRun()
        self.run.answer("lsblk", self._lsblk)
        self.run.answer("mount", self._mount)
        self.run.answer("umount", self._umount)
        self.run.answer("systemctl", self._reboot, having="reboot")

    def start(self, line: str, boot: str = "first") -> None:
        """Set the command line and the boot id of the running kernel."""
        (self.system / "proc/cmdline").write_text(f"{line}\n")
        (self.system / "proc/sys/kernel/random/boot_id").write_text(f"{boot}\n")

    def add(self, device: str, files: Mapping[str, str | bytes], **columns: str) -> Path:
        """Add a device with these files; return their directory."""
        tree = self.directory / "disks" / device.replace("/", "_")
        tree.mkdir(parents=True)
        for path, data in files.items():
            file = tree / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data if isinstance(data, bytes) else data.encode())
        self.devices[device] = columns
        return tree

    def variable(self, name: str, value: str) -> None:
        """Set an EFI variable of the boot loader."""
        path = self.system / f"sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
        path.write_bytes(b"\x06\0\0\0" + f"{value}\0".encode("utf-16-le"))

    def helper(self, loader: str = "auto", device: str = "") -> Helper:
        return Helper(self.run, loader, device, str(self.system), self._sleep)

    def files(self) -> dict[str, bytes]:
        top = self.directory / "disks"
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.log.append(f"sleep {seconds:g}")

    def _lsblk(self, command: Command) -> Ran:
        names = [column.lower() for column in COLUMNS if column != "PATH"]
        rows = [
            {"path": path, **{name: has.get(name) for name in names}} for path, has in self.devices.items()
        ]
        return Ran(0, json.dumps({"blockdevices": rows}))

    def _mount(self, command: Command) -> Ran:
        options, target = command.real_argv()[2], command.real_argv()[-1]
        if options == "remount,rw":
            device = self.mounted[target]
            if device in self.read_only:
                return Ran(32, "", "write-protected")
            self.log.append(f"write {device}")
            return Ran(0)
        device = command.real_argv()[-2]
        if device in self.broken:
            return Ran(32, "", "wrong fs type")
        os.rmdir(target)
        os.symlink(self.directory / "disks" / device.replace("/", "_"), target)
        self.mounted[target] = device
        self.log.append(f"mount {device} {options}")
        return Ran(0)

    def _umount(self, command: Command) -> Ran:
        for target in command.real_argv()[1:]:
            os.unlink(target)
            self.log.append(f"umount {self.mounted.pop(target)}")
        return Ran(0)

    def _reboot(self, command: Command) -> Ran:
        self.log.append("reboot")
        raise Rebooted
