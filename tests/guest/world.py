# SPDX-License-Identifier: Apache-2.0
"""The disks of the guest: empty them before a case, and count writes during a run."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import mmap
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.guest.cases import by_id

__all__ = ["PLACE", "Broken", "Late", "digest", "empty", "free", "settle", "shell", "trigger", "written"]

PLACE: Final = Path("/run/case")
"""Directory of a case: its config, target root and the files of stages. Removed before the next case."""
PRELUDE: Final = Path(__file__).with_name("prelude.sh")

BLKRRPART: Final = 0x125F
BLKFLSBUF: Final = 0x1261
BLKGETSIZE64: Final = 0x80081272
BLKZEROOUT: Final = 0x127F
"""Source: the kernel's include/uapi/linux/fs.h."""

_memcmp = ctypes.CDLL(None).memcmp

CHUNK: Final = 1 << 20
ZEROS: Final = bytes(CHUNK)
TRIES: Final = 10
LINGER: Final = 0.3
"""Seconds until udev has been notified of a closed device."""
PATIENCE: Final = 300.0
"""Time limit for the commands of a case in seconds, large enough for a busy machine."""
PROTECTED: Final = 30.0
"""Seconds for which udev may still hold a device."""


class Broken(Exception):
    """The case or the guest failed, not the engine."""


def shell(script: str, what: str) -> str:
    """Run commands of a case; return their output.

    Raises:
        Broken: a command failed, or the time limit was reached.
    """
    if not script.strip():
        return ""
    try:
        ran = subprocess.run(
            ["/bin/sh", "-eu", "-c", f". {PRELUDE}\nset -x\n{script}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        said = error.output.decode(errors="replace")[-3000:] if error.output else ""
        raise Broken(f"{what}: timed out after {PATIENCE:.0f} s:\n{said}") from error
    if ran.returncode != 0:
        raise Broken(f"{what}: exit status {ran.returncode}:\n{ran.stdout[-3000:]}")
    return ran.stdout


def settle() -> None:
    """Wait until udev has processed all events."""
    subprocess.run(["udevadm", "settle", f"--timeout={PATIENCE:.0f}"], check=True)


def trigger() -> None:
    """Trigger udev for all disks as if they were attached: arrays and volume groups start."""
    subprocess.run(["udevadm", "trigger", "--settle", "--action=add", "--subsystem-match=block"], check=True)
    settle()


def free() -> None:
    """Unmount, close and stop all devices on the disks.

    Raises:
        Broken: a device cannot be stopped.
    """
    is_sure = True
    for _ in range(TRIES):
        _unmount()
        _quietly("swapoff", "--all")
        if not (built := _built()):
            if is_sure:
                return
            # udev probes closed members a moment later, and may assemble the array again.
            time.sleep(LINGER)
            settle()
            is_sure = True
            continue
        is_sure = False
        if any(name.startswith("dm-") for name in built):
            # LVM and LUKS volumes. A device that others are built on is removed in a later try.
            _quietly("dmsetup", "remove_all")
        for name in built:
            if name.startswith("md"):
                _quietly("mdadm", "--stop", f"/dev/{name}")
        settle()
    raise Broken(f"cannot stop {', '.join(_built())}: in use")


def _unmount() -> None:
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        targets = [line.split()[1] for line in mounts]
    for target in reversed(targets):
        if target.startswith((f"{PLACE}/", "/mnt")):
            _quietly("umount", target)


def _built() -> list[str]:
    return [name for name in sorted(os.listdir("/sys/block"), reverse=True) if name.startswith(("dm-", "md"))]


def _quietly(*argv: str) -> None:
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE)


def empty(letters: str) -> None:
    """Fill disks with zeros, and let the kernel forget their partitions."""
    for letter in letters:
        descriptor = os.open(by_id(letter), os.O_WRONLY | os.O_CLOEXEC)
        try:
            size = int.from_bytes(fcntl.ioctl(descriptor, BLKGETSIZE64, bytes(8)), "little")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            fcntl.ioctl(descriptor, BLKZEROOUT, (0).to_bytes(8, "little") + size.to_bytes(8, "little"))
            _forget_partitions(descriptor, letter)
        finally:
            os.close(descriptor)
    settle()


def _forget_partitions(descriptor: int, letter: str) -> None:
    deadline = time.monotonic() + PROTECTED
    while True:
        try:
            fcntl.ioctl(descriptor, BLKRRPART)
        except OSError as error:
            if time.monotonic() > deadline:
                raise Broken(f"disk {letter} is in use") from error
            time.sleep(0.05)
        else:
            return


def written(letters: str) -> dict[str, int]:
    """Return the number of sectors that were written or discarded on each disk since the guest's start."""
    os.sync()
    return {letter: _sectors_written(letter) for letter in letters if os.path.exists(by_id(letter))}


def _sectors_written(letter: str) -> int:
    # Source: the kernel's Documentation/block/stat.rst.
    name = os.path.basename(os.path.realpath(by_id(letter)))
    fields = Path(f"/sys/class/block/{name}/stat").read_text(encoding="ascii").split()
    return int(fields[6]) + int(fields[13])


def digest(device: str) -> str:
    """Return a hash of all bytes of a device, read past the page cache. Zeros are skipped quickly."""
    total = hashlib.sha256()
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    try:
        fcntl.ioctl(descriptor, BLKFLSBUF)
        offset = 0
        with mmap.mmap(-1, CHUNK) as chunk:
            place = (ctypes.c_char * CHUNK).from_buffer(chunk)
            while length := os.preadv(descriptor, [chunk], offset):
                if _memcmp(place, ZEROS, length) != 0:
                    total.update(offset.to_bytes(8, "little") + chunk[:length])
                offset += length
            del place
        total.update(offset.to_bytes(8, "little"))
    finally:
        os.close(descriptor)
    return total.hexdigest()


class Late:
    """Disks that are detached until `arrive` attaches them again."""

    def __init__(self, letters: Iterable[str]) -> None:
        self._letters = tuple(letters)

    def detach(self) -> None:
        """Detach the disks."""
        for letter in self._letters:
            name = os.path.basename(os.path.realpath(by_id(letter)))
            _pci_device(name).joinpath("remove").write_text("1", encoding="ascii")
        settle()
        if there := [letter for letter in self._letters if os.path.exists(by_id(letter))]:
            raise Broken(f"cannot detach disks {', '.join(there)}")

    def arrive(self) -> None:
        """Attach the disks again."""
        Path("/sys/bus/pci/rescan").write_text("1", encoding="ascii")


def _pci_device(name: str) -> Path:
    device = Path(f"/sys/class/block/{name}").resolve()
    return next(path for path in _parents(device) if (path / "remove").exists())


def _parents(path: Path) -> Iterator[Path]:
    yield from path.parents
