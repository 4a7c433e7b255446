"""Disks that are files, for tests on the kernel that runs the tests. Needs root, losetup, partx."""

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
"""What a test that uses this must be allowed to start, besides what the engine itself starts."""


@contextmanager
def attached(image: Path, size: int | None = None, *, sector_size: int = 512) -> Iterator[str]:
    """The node of a loop disk over `image`, which is made with `size` bytes if it is not there."""
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
    """A host that works on this machine's devices, with a target root and a /run of its own."""
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
