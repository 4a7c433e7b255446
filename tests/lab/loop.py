# SPDX-License-Identifier: Apache-2.0
"""Loop devices for tests with the running kernel. Needs root, losetup and partx."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ignition.host import Host
from ignition.host.devices import BlockDevices
from ignition.host.root import Root
from ignition.host.run import run
from tests.host.fakes import FakeFetch

__all__ = ["PROGRAMS", "attached", "machine"]

PROGRAMS = ("losetup", "partx")
"""Programs that a test with loop devices needs, in addition to those of the engine."""


@contextmanager
def attached(image: Path, size: int | None = None, *, sector_size: int = 512) -> Iterator[str]:
    """Attach `image` as a loop disk and yield its node; create it if `size`, in bytes, is given."""
    if size is not None:
        image.touch()
        os.truncate(image, size)
    command = ["losetup", "--find", "--show", "--sector-size", str(sector_size), str(image)]
    node = _run(command).stdout.strip()
    try:
        yield node
    finally:
        subprocess.run(["partx", "--delete", node], capture_output=True, check=False)
        _run(["losetup", "--detach", node])


def machine(directory: Path, *, runner: Callable[..., object] = run) -> Host:
    """Return a host with the devices of this machine, and a separate target root and /run."""
    system = directory / "system"
    (system / "run").mkdir(parents=True, exist_ok=True)
    (directory / "root").mkdir(exist_ok=True)
    for name in ("dev", "proc", "sys"):
        if not (system / name).is_symlink():
            (system / name).symlink_to(f"/{name}")
    return Host(
        run=runner,  # type: ignore[arg-type]
        root=Root(str(directory / "root")),
        devices=BlockDevices(str(system), timeout=2.0),
        fetch=FakeFetch(),
        system=str(system),
    )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True)
