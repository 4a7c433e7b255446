# SPDX-License-Identifier: Apache-2.0
"""Fake `/sys`, `/proc` and `/dev` for tests. Disks are files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["Sysfs"]


class Sysfs:
    """The system directory of a host (`Host.system`), filled like by the kernel."""

    def __init__(self, system: Path) -> None:
        self.system = system
        self._devices = system / "sys/devices"
        self._mounts: list[str] = []
        for name in ("sys/class/block", "sys/devices", "proc/self", "dev", "run"):
            (system / name).mkdir(parents=True, exist_ok=True)
        self.mount("/", "rootfs", "rootfs", "0:1")
        self._write(
            system / "proc/filesystems",
            "nodev\tsysfs\nnodev\tproc\nnodev\tvirtiofs\n\text4\n\txfs\n\tbtrfs\n\tvfat\n",
        )
        self._write(system / "proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")

    def disk(
        self, name: str, size: int, *, sector_size: int = 512, mapper_name: str = "", number: str = ""
    ) -> Path:
        """Add a disk of `size` bytes; return the file that is its node."""
        attributes = {"queue/logical_block_size": str(sector_size)}
        if mapper_name:
            attributes["dm/name"] = mapper_name
        self._device(self._devices / name, name, size, number, attributes)
        node = self.system / "dev" / name
        node.touch()
        with node.open("r+b") as file:
            file.truncate(size)
        return node

    def partition(self, disk: str, number: int, start: int, size: int) -> str:
        """Add or change a partition of the kernel, in units of 512 bytes; return its node."""
        name = f"{disk}{'p' if disk[-1].isdigit() else ''}{number}"
        attributes = {"partition": str(number), "start": str(start)}
        self._device(self._devices / disk / name, name, size * 512, "", attributes)
        (self.system / "dev" / name).touch()
        return f"/dev/{name}"

    def forget(self, node: str) -> None:
        """Remove a partition from the kernel."""
        import shutil

        name = node.removeprefix("/dev/")
        link = self.system / "sys/class/block" / name
        shutil.rmtree(link.resolve())
        link.unlink()
        (self.system / "dev" / name).unlink()

    def hold(self, node: str, by: str) -> None:
        """Make the device `by` a holder of `node`."""
        (self.system / "sys/class/block" / node.removeprefix("/dev/") / "holders" / by).mkdir()

    def attribute(self, name: str, attribute: str, value: str) -> None:
        """Set an attribute of a device, such as `md/array_state`."""
        self._write(self.system / "sys/class/block" / name / attribute, f"{value}\n")

    def mount(self, target: str, source: str, format_: str, number: str = "0:99") -> None:
        """Add a mount to the mount table."""
        self._mounts.append(
            f"{len(self._mounts) + 20} 1 {number} / {target} rw shared:1 - {format_} {source} rw\n"
        )
        self._write(self.system / "proc/self/mountinfo", "".join(self._mounts))

    def umount(self, targets: Iterable[str]) -> None:
        """Remove the last mount at each target."""
        for target in targets:
            at = max(index for index, line in enumerate(self._mounts) if line.split(" ")[4] == target)
            del self._mounts[at]
        self._write(self.system / "proc/self/mountinfo", "".join(self._mounts))

    def swap(self, node: str) -> None:
        """Add an active swap device."""
        with (self.system / "proc/swaps").open("a") as file:
            file.write(f"{node}\tpartition\t1048572\t\t0\t\t-2\n")

    def link(self, path: str, node: str) -> None:
        """Create a udev symlink below /dev."""
        place = self.system / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (len(Path(path).parts) - 3)
        place.symlink_to(up + node.removeprefix("/dev/"))

    def _device(self, directory: Path, name: str, size: int, number: str, attributes: dict[str, str]) -> None:
        (directory / "holders").mkdir(parents=True, exist_ok=True)
        index = len(list((self.system / "sys/class/block").iterdir()))
        number = number or f"254:{index}"
        for attribute, value in {"size": str(size // 512), "dev": number, **attributes}.items():
            self._write(directory / attribute, f"{value}\n")
        link = self.system / "sys/class/block" / name
        if not link.is_symlink():
            link.symlink_to(Path("../..") / directory.relative_to(self.system / "sys"))

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
