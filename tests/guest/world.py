"""The guest's disks: emptied before each case, watched during it."""

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

__all__ = ["PLACE", "Broken", "Late", "digest", "empty", "free", "look_again", "settle", "shell", "written"]

PLACE: Final = Path("/run/case")
"""Where a case has its config, its root and what stages leave; gone with the case."""
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
"""Seconds in which udev hears of what was closed."""
PATIENCE: Final = 300.0
"""Seconds for the commands of a case: only what hangs is to end by it, however busy the machine is."""
PROTECTED: Final = 30.0
"""Seconds in which a device may still be held by udev."""


class Broken(Exception):
    """The case itself, not the engine, could not do what it wanted to."""


def shell(script: str, what: str) -> str:
    """Run commands of a case, all of which have to succeed; returns what they said.

    Raises:
        Broken: one failed.
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
        raise Broken(f"{what}: not done after {PATIENCE:.0f} s:\n{said}") from error
    if ran.returncode != 0:
        raise Broken(f"{what}: status {ran.returncode}:\n{ran.stdout[-3000:]}")
    return ran.stdout


def settle() -> None:
    """Wait until udev has nothing more to do."""
    subprocess.run(["udevadm", "settle", f"--timeout={PATIENCE:.0f}"], check=True)


def look_again() -> None:
    """Let udev see all disks as when they are attached: arrays start, volume groups become active."""
    subprocess.run(["udevadm", "trigger", "--settle", "--action=add", "--subsystem-match=block"], check=True)
    settle()


def free() -> None:
    """Unmount, close and stop everything that cases may have built on disks.

    Raises:
        Broken: something stays in use.
    """
    is_sure = True
    for _ in range(TRIES):
        _unmount()
        _quietly("swapoff", "--all")
        if not (built := _built()):
            if is_sure:
                return
            # udev looks at members that were closed a moment later, and may start their array again.
            time.sleep(LINGER)
            settle()
            is_sure = True
            continue
        is_sure = False
        if any(name.startswith("dm-") for name in built):
            # Volumes of LVM and of cryptsetup alike; those that others are built on have to wait for these.
            _quietly("dmsetup", "remove_all")
        for name in built:
            if name.startswith("md"):
                _quietly("mdadm", "--stop", f"/dev/{name}")
        settle()
    raise Broken(f"{', '.join(_built())} cannot be stopped")


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
    """Make disks as if they were new: all zeros, and nobody knows of any partition."""
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
    """How many sectors were written to each disk, or discarded, since the guest started."""
    os.sync()
    return {letter: _sectors_written(letter) for letter in letters if os.path.exists(by_id(letter))}


def _sectors_written(letter: str) -> int:
    # Source: the kernel's Documentation/block/stat.rst.
    name = os.path.basename(os.path.realpath(by_id(letter)))
    fields = Path(f"/sys/class/block/{name}/stat").read_text(encoding="ascii").split()
    return int(fields[6]) + int(fields[13])


def digest(device: str) -> str:
    """A hash of all bytes of a device as they are on it; zeros, of which there are most, cost little."""
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
    """Disks that are detached, until `arrive` attaches them again."""

    def __init__(self, letters: Iterable[str]) -> None:
        self._letters = tuple(letters)

    def detach(self) -> None:
        """Take the disks out of the machine."""
        for letter in self._letters:
            name = os.path.basename(os.path.realpath(by_id(letter)))
            _pci_device(name).joinpath("remove").write_text("1", encoding="ascii")
        settle()
        if there := [letter for letter in self._letters if os.path.exists(by_id(letter))]:
            raise Broken(f"disks {', '.join(there)} were not detached")

    def arrive(self) -> None:
        """Put them back."""
        Path("/sys/bus/pci/rescan").write_text("1", encoding="ascii")


def _pci_device(name: str) -> Path:
    device = Path(f"/sys/class/block/{name}").resolve()
    return next(path for path in _parents(device) if (path / "remove").exists())


def _parents(path: Path) -> Iterator[Path]:
    yield from path.parents
