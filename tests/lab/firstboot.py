"""A first boot of the lab's machine with a config, and what the guest says about it.

The guest proves by itself what became of the config: `examples/demo/proof` runs in it as
a unit of the config and prints what it finds; this module reads that from the console.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cache import PROJECT
from tests.lab.guest import Boot, Disk, Guest, Line, boot
from tests.lab.image import image
from tests.lab.initramfs import initramfs
from tests.lab.kernel import Kernel, kernel
from tests.lab.server import HttpServer

PAGES = PROJECT / "examples" / "demo"
"""What the guest can fetch over HTTP."""
CONFIG = PROJECT / "examples" / "demo.ign"

FAILED = r"Provisioning failed\."
"""The headline of the failure card."""
STOPPED = rf"{FAILED}|(Entering|You are in) emergency mode"
"""What the console says when a boot goes no further, whatever the reason."""

_DISK_SIZE = 2 << 30
LIMIT = 900.0
"""Seconds that a boot may take under emulation on a busy machine."""

_PROOF = re.compile(r"PROOF (ok|FAILED) ([^:]+): (.*)")
_STAGE = re.compile(r"PROOF stage (\{.*\})")
_DONE = re.compile(r"PROOF done, (\d+) failed")


@dataclass(frozen=True)
class Machine:
    """What every boot of the lab starts with."""

    kernel: Kernel
    initramfs: Path
    image: Path


@dataclass(frozen=True)
class Proof:
    """One thing that the guest looked at."""

    name: str
    found: str
    holds: bool


@dataclass(frozen=True)
class StageTime:
    """When a stage ran in the guest, in seconds since its kernel started."""

    stage: str
    started: float
    ended: float


def machine(*, clevis: bool = False) -> Machine:
    """The kernel, initramfs and root image; what is not in the cache is made, side by side."""
    with ThreadPoolExecutor() as pool:
        linux = kernel()
        root = pool.submit(image, linux)
        first = pool.submit(initramfs, linux, clevis=clevis)
        return Machine(linux, first.result(), root.result())


@contextmanager
def guest(lab: Machine, config: Path = CONFIG, *, pages: Path = PAGES) -> Iterator[Guest]:
    """A guest that boots for the first time with `config`.

    It has an empty second disk with the serial `data`, and while the context lasts it can
    fetch the files in `pages` from `tests.lab.guest.SERVER`.
    """
    with tempfile.TemporaryDirectory() as folder, HttpServer() as server:
        for page in filter(Path.is_file, pages.iterdir()):
            server.answer(f"/{page.name}", page.read_bytes())
        disk = Disk.empty(Path(folder) / "data.img", "data", _DISK_SIZE)
        yield Guest(lab.kernel, lab.initramfs, lab.image, config=config, disks=(disk,), port=server.port)


def first_boot(
    lab: Machine, config: Path = CONFIG, watch: Callable[[Line], None] = lambda line: None
) -> Boot:
    """Boot `guest` until it powers off or has shown a failure card.

    Raises:
        LabError: neither happened in time.
    """
    with guest(lab, config) as new:
        return boot(new, seconds=LIMIT, until=STOPPED, linger=6.0, watch=watch)


def proofs(outcome: Boot) -> list[Proof]:
    """What the guest found, in its order."""
    found = (_PROOF.search(line.text) for line in outcome.lines)
    return [Proof(match[2], match[3], match[1] == "ok") for match in found if match]


def stage_times(outcome: Boot) -> list[StageTime]:
    """When each stage ran, in the order in which they ended."""
    found = (_STAGE.search(line.text) for line in outcome.lines)
    return [StageTime(**json.loads(match[1])) for match in found if match]


def finished(outcome: Boot) -> bool:
    """Whether the guest proved everything it was asked to, and powered off."""
    done = _DONE.search(outcome.console)
    return outcome.powered_off and done is not None and done[1] == "0"
