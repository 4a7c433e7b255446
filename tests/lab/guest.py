# SPDX-License-Identifier: Apache-2.0
"""Boot a guest in QEMU and read its console.

The guest gets its config through fw_cfg, can connect only to the HTTP server of `Guest.port`, and cannot
change its image (`snapshot=on`).
"""

from __future__ import annotations

import codecs
import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.accelerator import QEMU, accelerator
from tests.lab.commands import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.kernel import Kernel

SERVER = "10.0.2.100"
"""Address of the server of `Guest.port` in the guest, on port 80."""

ARGUMENTS = (
    "console=ttyS0", "root=LABEL=root", "ro", "mitigations=off", "net.ifnames=0", "quiet",
    "systemd.show_status=yes", "ignition.firstboot", "ignition.platform.id=qemu",
)  # fmt: skip
"""Kernel arguments of a first boot."""

LATER_ARGUMENTS = tuple(argument for argument in ARGUMENTS if argument != "ignition.firstboot")
"""Kernel arguments of later boots."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78c]")


@dataclass(frozen=True)
class Disk:
    """A writable raw disk, in the guest `/dev/disk/by-id/virtio-<serial>`."""

    file: Path
    serial: str

    @classmethod
    def empty(cls, file: Path, serial: str, size: int) -> Disk:
        """Create a sparse disk of `size` bytes."""
        with file.open("wb") as disk:
            disk.truncate(size)
        return cls(file, serial)


@dataclass(frozen=True)
class Guest:
    """A machine to boot.

    Attributes:
        config: the file for fw_cfg.
        port: port on loopback of the host that the guest sees as port 80 of `SERVER`.
        keeps: whether writes to `image` are kept after the end of the guest.
        tpm: socket of a software TPM (`tests.lab.tpm.guests_tpm`).
    """

    kernel: Kernel
    initramfs: Path
    image: Path
    config: Path | None = None
    disks: tuple[Disk, ...] = ()
    port: int | None = None
    arguments: tuple[str, ...] = ARGUMENTS
    memory: int = 1536
    keeps: bool = False
    tpm: Path | None = None

    def command(self, console: str = "stdio") -> list[str]:
        """Return QEMU's command line; `console` is the backend of the serial console."""
        snapshot = "off" if self.keeps else "on"
        return [
            QEMU, *accelerator(self.kernel), "-machine", "q35", "-nodefaults", "-no-user-config",
            "-smp", str(min(os.cpu_count() or 1, 4)), "-m", str(self.memory),
            "-display", "none", "-monitor", "none", "-serial", console, "-no-reboot",
            "-device", "virtio-rng-pci",
            "-kernel", str(self.kernel.image), "-initrd", str(self.initramfs),
            "-append", " ".join(self.arguments),
            "-drive", f"if=virtio,format=raw,file={self.image},snapshot={snapshot},cache=unsafe",
            *self._disks(), *self._config(), *self._network(), *self._tpm(),
        ]  # fmt: skip

    def _disks(self) -> Iterator[str]:
        for disk in self.disks:
            yield from ("-drive", f"if=none,id={disk.serial},format=raw,file={disk.file},cache=unsafe")
            yield from ("-device", f"virtio-blk-pci,drive={disk.serial},serial={disk.serial}")

    def _config(self) -> Iterator[str]:
        if self.config:
            # In QEMU's option lists a comma is escaped by doubling.
            file = str(self.config).replace(",", ",,")
            yield from ("-fw_cfg", f"name=opt/com.coreos/config,file={file}")

    def _tpm(self) -> Iterator[str]:
        if self.tpm:
            yield from ("-chardev", f"socket,id=tpm,path={self.tpm}")
            yield from ("-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0")

    def _network(self) -> Iterator[str]:
        nic = "user,model=virtio-net-pci,restrict=on"
        if self.port:
            # One `nc` per connection, because the tcp form serves a single connection.
            nic += f",guestfwd=tcp:{SERVER}:80-cmd:nc 127.0.0.1 {self.port}"
        yield from ("-nic", nic)


@dataclass(frozen=True)
class Line:
    """A line of the console without escape sequences, and its time in seconds since the guest's start."""

    at: float
    text: str


@dataclass(frozen=True)
class Boot:
    """Result of a boot: the console, and whether the guest powered off."""

    lines: tuple[Line, ...] = ()
    powered_off: bool = False
    seconds: float = 0.0

    @property
    def console(self) -> str:
        return "\n".join(line.text for line in self.lines)

    def tail(self, count: int = 40) -> str:
        return "\n".join(line.text for line in self.lines[-count:])


def boot(
    guest: Guest,
    *,
    seconds: float,
    until: str | None = None,
    linger: float = 0.0,
    watch: Callable[[Line], None] = lambda line: None,
) -> Boot:
    """Boot `guest` and read its console until it powers off.

    Args:
        guest: the machine.
        seconds: time limit of the boot.
        until: regular expression; the guest is stopped `linger` seconds after a line that matches.
        linger: seconds for further lines after a match.
        watch: is called with each line.

    Raises:
        LabError: QEMU did not start, or the time limit was reached.
    """
    process = subprocess.Popen(
        guest.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        try:
            return _follow(_Console(process), seconds, until, linger, watch)
        finally:
            if process.poll() is None:
                process.kill()


class _Console:
    """Reader of the console of a running guest."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.started = time.monotonic()
        self.rest = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    @property
    def age(self) -> float:
        return time.monotonic() - self.started

    def read(self, timeout: float) -> list[Line] | None:
        """Return the lines that arrive within `timeout`; None if the guest has ended."""
        assert self.process.stdout
        descriptor = self.process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(timeout, 0))
        if not ready:
            return []
        data = os.read(descriptor, 65536)
        if not data:
            return None
        *complete, self.rest = (self.rest + self._decode(data)).split("\n")
        return [Line(self.age, _plain(text)) for text in complete]

    def last(self) -> list[Line]:
        """Return the text after the last newline, usually a prompt."""
        return [Line(self.age, _plain(self.rest))] if _plain(self.rest) else []


def _plain(text: str) -> str:
    """Return a console line as it is displayed, without escape sequences and overwritten text."""
    return _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2].rstrip()


def _follow(
    console: _Console, seconds: float, until: str | None, linger: float, watch: Callable[[Line], None]
) -> Boot:
    lines: list[Line] = []
    end = seconds
    found = False
    while console.age < end:
        new = console.read(end - console.age)
        if new is None:
            _check_end(console.process)
            return Boot((*lines, *console.last()), powered_off=True, seconds=console.age)
        for line in new:
            lines.append(line)
            watch(line)
            if until and not found and re.search(until, line.text):
                found = True
                end = min(seconds, console.age + linger)
    outcome = Boot((*lines, *console.last()), seconds=console.age)
    if not found:
        raise LabError(f"the guest timed out after {seconds:.0f} s; end of its console:\n{outcome.tail(25)}")
    return outcome


def _check_end(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        assert process.stderr
        raise LabError(f"QEMU failed: {process.stderr.read().decode(errors='replace').strip()}")
