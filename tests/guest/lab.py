# SPDX-License-Identifier: Apache-2.0
"""Boot the guest with its disks, run cases in it, and read the results.

The engine of the checkout and the cases are on a small disk of their own, so that the guest's image does not
have to be built again when they change.
"""

from __future__ import annotations

import compileall
import json
import py_compile
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.guest.cases import DISKS, LARGE, SMALL_SECTORS, Case
from tests.lab import cache
from tests.lab.commands import LabError, run
from tests.lab.guest import Boot, Disk, Guest, Line, boot
from tests.lab.guest_image import guest_image
from tests.lab.kernel import kernel
from tests.lab.tpm import guests_tpm

__all__ = ["Result", "run_cases"]

GIB = 1 << 30
SIZE, LARGE_SIZE = GIB, 6 * GIB
LIMIT = 2700.0
"""Time limit for all cases in seconds, under emulation on a busy machine."""
MEMORY = 1536

ENGINE = ("ignition", "providers", "schemas")
LIBRARIES = ("pyudev", "requests", "urllib3", "idna", "certifi", "charset_normalizer")
"""Libraries that the stages import. All of them work without compiled modules."""

ARGUMENTS = (
    "console=ttyS0", "ro", "mitigations=off", "net.ifnames=0", "quiet", "systemd.show_status=no",
    "systemd.unit=cases.service", "systemd.journald.storage=volatile",
)  # fmt: skip

START = """#!/bin/sh
mount -o remount,rw /
export PYTHONPATH=/cases:/cases/libraries PYTHONDONTWRITEBYTECODE=1
exec python3 -m tests.guest.runner
"""


@dataclass(frozen=True)
class Result:
    """Result of a case.

    Attributes:
        id: id of the case.
        seconds: duration in the guest.
        problems: failed expectations; empty if the case passed.
        log: the engine's log if the case failed.
    """

    id: str
    seconds: float
    problems: tuple[str, ...]
    log: str

    def __str__(self) -> str:
        problems = "\n".join(f"- {problem}" for problem in self.problems)
        return f"{self.id}\n{problems}\n\n{self.log}"


@dataclass(frozen=True)
class CaseGuest(Guest):
    """The guest, with a serial port for results and disks with two sector sizes.

    Attributes:
        results: the file to which the guest writes.
    """

    results: Path = Path()

    def command(self, console: str = "stdio") -> list[str]:
        return [
            *super().command(console),
            "-device", "virtio-serial-pci",
            "-chardev", f"file,id=results,path={self.results}",
            "-device", "virtserialport,chardev=results,name=results",
        ]  # fmt: skip

    def _disks(self) -> Iterator[str]:
        for disk in self.disks:
            large = disk.serial in DISKS and disk.serial not in SMALL_SECTORS
            sectors = ",logical_block_size=4096,physical_block_size=4096" if large else ""
            # Zeros that the guest writes become holes in the file.
            yield from (
                "-drive",
                f"if=none,id={disk.serial},format=raw,file={disk.file},cache=unsafe,discard=unmap,detect-zeroes=unmap",
            )
            yield from ("-device", f"virtio-blk-pci,drive={disk.serial},serial={disk.serial}{sectors}")


def run_cases(cases: Sequence[Case], watch: Callable[[Line], None] = lambda line: None) -> tuple[Result, ...]:
    """Boot the guest once and run the cases in it.

    Raises:
        LabError: the guest ended before the last case.
    """
    linux = kernel()
    image = guest_image(linux)
    with tempfile.TemporaryDirectory() as name, guests_tpm(Path(name)) as tpm:
        folder = Path(name)
        disks = [
            Disk.empty(folder / letter, letter, LARGE_SIZE if letter == LARGE else SIZE) for letter in DISKS
        ]
        guest = CaseGuest(
            linux,
            image.initramfs,
            image.root,
            disks=(Disk(_parcel(folder, cases), "cases"), *disks),
            arguments=ARGUMENTS,
            memory=MEMORY,
            results=folder / "results",
            tpm=tpm,
        )
        outcome = boot(guest, seconds=LIMIT, watch=watch)
        return _results(guest.results, outcome, cases)


def _results(file: Path, outcome: Boot, cases: Sequence[Case]) -> tuple[Result, ...]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    results = tuple(
        Result(**{**written, "problems": tuple(written["problems"])}) for written in map(json.loads, lines)
    )
    if len(results) != len(cases):
        raise LabError(
            f"the guest ran {len(results)} of {len(cases)} cases; end of its console:\n{outcome.tail()}"
        )
    return results


def _parcel(folder: Path, cases: Sequence[Case]) -> Path:
    """Build the disk image with the engine, the cases and their runner."""
    parcel = folder / "parcel"
    parcel.mkdir()
    nothing_made = shutil.ignore_patterns("__pycache__")
    for part in ENGINE:
        shutil.copytree(cache.PROJECT / part, parcel / part, symlinks=True, ignore=nothing_made)
    shutil.copytree(Path(__file__).parent, parcel / "tests" / "guest", ignore=nothing_made)
    for library in LIBRARIES:
        spec = find_spec(library)
        if spec is None or not spec.submodule_search_locations:
            raise LabError(f"library {library} not found; run `make setup`")
        shutil.copytree(
            spec.submodule_search_locations[0], parcel / "libraries" / library, ignore=nothing_made
        )
    compileall.compile_dir(parcel, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    (parcel / "selection").write_text("".join(f"{case.id}\n" for case in cases), encoding="utf-8")
    (parcel / "start").write_text(START, encoding="utf-8")
    (parcel / "start").chmod(0o755)
    image = folder / "cases.img"
    run("mke2fs", "-q", "-t", "ext4", "-L", "cases", "-d", parcel, image, "64M")
    return image
