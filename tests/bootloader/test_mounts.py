# SPDX-License-Identifier: Apache-2.0
"""The helper on a real filesystem. Needs root and loop devices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.bootloader.arguments import ArgumentRequest
from ignition.bootloader.helper import Helper
from ignition.host.command import Command, Ran
from ignition.host.run import run
from tests.bootloader.machine import Machine, Rebooted
from tests.lab import commands
from tests.lab.loop import PROGRAMS, attached

pytestmark = pytest.mark.real_commands(*PROGRAMS, "mke2fs", "mount", "umount", "debugfs")

CONFIG = "linux /vmlinuz ro quiet\n"


class Real:
    """A disk with a filesystem, and the helper on it."""

    def __init__(self, machine: Machine, image: Path, node: str) -> None:
        self.machine = machine
        self.image = image
        self.node = node

    def run(self, command: Command) -> Ran:
        """Run real mounts; fake programs that would affect the machine of the tests."""
        if command.program == "lsblk":
            names = ("label", "uuid", "partuuid", "partlabel", "parttype", "pkname")
            row = dict.fromkeys(names) | {"path": self.node, "label": "boot"}
            return Ran(0, json.dumps({"blockdevices": [row]}))
        if command.program == "systemctl":
            raise Rebooted
        return Ran(0) if command.program == "udevadm" else run(command)

    def set(self, request: ArgumentRequest) -> None:
        Helper(self.run, "grub", system=str(self.machine.system)).set(request)

    def digest(self) -> str:
        return hashlib.sha256(self.image.read_bytes()).hexdigest()

    def read(self, path: str) -> str:
        return commands.run("debugfs", "-R", f"cat {path}", self.image)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    tree, image = tmp_path / "tree", tmp_path / "boot.img"
    (tree / "grub").mkdir(parents=True)
    (tree / "grub/grub.cfg").write_text(CONFIG)
    commands.run("mke2fs", "-q", "-t", "ext4", "-L", "boot", "-d", tree, image, "16M")
    with attached(image) as node:
        yield Real(Machine(tmp_path / "machine", "ro quiet"), image, node)


def test_unchanged_filesystem_is_not_written(real: Real) -> None:
    before = real.digest()
    real.set(ArgumentRequest(("ro",), ("nosmt",)))
    assert real.digest() == before


def test_changes_are_on_disk_before_the_reboot(real: Real) -> None:
    with pytest.raises(Rebooted):
        real.set(ArgumentRequest(("nosmt",), ("quiet",)))
    assert real.read("/grub/grub.cfg") == "linux /vmlinuz ro nosmt\n"
    assert real.read("/ignition.kargs-reboot") == "first\n--should-exist nosmt\n--should-not-exist quiet\n"
    mounts = Path("/proc/self/mountinfo").read_text()
    assert real.node not in mounts
