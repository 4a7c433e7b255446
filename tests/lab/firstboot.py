# SPDX-License-Identifier: Apache-2.0
"""Boot a machine for the first time with a config, and read the checks of the guest from its console.

The guest checks the result itself: `examples/demo/proof` runs as a unit of the config and prints PROOF lines,
which this module reads.
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
"""Files that the guest can fetch over HTTP."""
CONFIG = PROJECT / "examples" / "demo.ign"

FAILED = r"Provisioning failed\."
"""The headline of the failure card."""
STOPPED = rf"{FAILED}|(Entering|You are in) emergency mode"
"""Console text of a boot that has stopped for any reason."""

_DISK_SIZE = 2 << 30
LIMIT = 900.0
"""Time limit of a boot in seconds, under emulation on a busy machine."""

_PROOF = re.compile(r"PROOF (ok|FAILED) ([^:]+): (.*)")
_STAGE = re.compile(r"PROOF stage (\{.*\})")
_DONE = re.compile(r"PROOF done, (\d+) failed")


@dataclass(frozen=True)
class Machine:
    """Kernel, initramfs and root image of a boot."""

    kernel: Kernel
    initramfs: Path
    image: Path


@dataclass(frozen=True)
class Proof:
    """One check of the guest."""

    name: str
    found: str
    holds: bool


@dataclass(frozen=True)
class StageTime:
    """Start and end of a stage in the guest, in seconds since the start of its kernel."""

    stage: str
    started: float
    ended: float


def machine(*, clevis: bool = False) -> Machine:
    """Return kernel, initramfs and root image; build those that are not in the cache, in parallel."""
    with ThreadPoolExecutor() as pool:
        linux = kernel()
        root = pool.submit(image, linux)
        first = pool.submit(initramfs, linux, clevis=clevis)
        return Machine(linux, first.result(), root.result())


@contextmanager
def guest(lab: Machine, config: Path = CONFIG, *, pages: Path = PAGES) -> Iterator[Guest]:
    """Yield a guest for a first boot with `config`.

    The guest has an empty second disk with the serial `data`. Inside the context it can fetch the files in
    `pages` from `tests.lab.guest.SERVER`.
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
        LabError: the boot timed out.
    """
    with guest(lab, config) as new:
        return boot(new, seconds=LIMIT, until=STOPPED, linger=6.0, watch=watch)


def proofs(outcome: Boot) -> list[Proof]:
    """Return the checks of the guest, in order."""
    found = (_PROOF.search(line.text) for line in outcome.lines)
    return [Proof(match[2], match[3], match[1] == "ok") for match in found if match]


def stage_times(outcome: Boot) -> list[StageTime]:
    """Return the times of the stages, in the order of their ends."""
    found = (_STAGE.search(line.text) for line in outcome.lines)
    return [StageTime(**json.loads(match[1])) for match in found if match]


def finished(outcome: Boot) -> bool:
    """Whether all checks of the guest passed and it powered off."""
    done = _DONE.search(outcome.console)
    return outcome.powered_off and done is not None and done[1] == "0"
