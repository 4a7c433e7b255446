# SPDX-License-Identifier: Apache-2.0
"""Measure the disks stage, and a plan for many disks, on loop devices of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ignition.boot.state import State
from ignition.config.json.cache import load
from ignition.host.command import Command, Ran
from ignition.host.devices import BlockDevices
from ignition.host.run import run as run_command
from ignition.schemas.spec import LATEST
from ignition.stages import STAGES
from tests.lab.cache import PROJECT
from tests.lab.commands import LabError
from tests.lab.loop import attached, machine
from tests.lab.performing import performed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ignition.host import Host
    from ignition.schemas.config import Config

__all__ = ["disks"]

_PROGRAM = PROJECT / ".venv" / "bin" / "ignition"
_DISKS = next(stage for stage in STAGES if stage.name == "disks")
_GIB = 2**30
_FILESYSTEMS = 10
_IDLE_DISKS = 4
_PLANNED_DISKS = 16
_PLANNED_PARTITIONS = 16
_ROUNDS = 5


def disks() -> Iterator[str]:
    """Measure; yield the figures line by line."""
    yield ""
    yield "Disks, on loop devices"
    if os.geteuid():
        yield "  not measured: loop devices need root privileges"
        return
    for part in (_side_by_side, _nothing_to_change, _plans):
        with TemporaryDirectory() as name:
            yield from part(Path(name))


def _row(name: str, value: str, note: str = "") -> str:
    return f"  {name:<52} {value:>11}   {note}".rstrip()


@contextmanager
def _loop_disks(folder: Path, count: int, size: int) -> Iterator[list[str]]:
    with ExitStack() as devices:
        yield [devices.enter_context(attached(folder / f"disk{number}", size)) for number in range(count)]


def _config(**storage: Any) -> Config:
    return load(json.dumps({"ignition": {"version": LATEST.version}, "storage": storage}).encode())


def _seconds(config: Config, host: Host) -> float:
    began = time.perf_counter()
    performed(_DISKS, config, host, State())
    return time.perf_counter() - began


# ---- filesystems ----


def _side_by_side(folder: Path) -> Iterator[str]:
    """Compare all filesystems in one config with one config per filesystem."""
    with _loop_disks(folder, _FILESYSTEMS, 4 * _GIB) as nodes:
        host = machine(folder)
        wanted = [{"device": node, "format": "ext4", "wipeFilesystem": True} for node in nodes]
        together, apart = [], []
        for _ in range(_ROUNDS):
            apart.append(sum(_seconds(_config(filesystems=[each]), host) for each in wanted))
            together.append(_seconds(_config(filesystems=wanted), host))
    best, other = min(together), min(apart)
    yield _row(f"{_FILESYSTEMS} ext4 filesystems on {_FILESYSTEMS} devices", f"{best:.2f} s")
    yield _row("  one after another", f"{other:.2f} s", f"ratio {best / other:.2f} (target 0.7)")


# ---- nothing to change ----


def _nothing_to_change(folder: Path) -> Iterator[str]:
    """Count the waits for udev when nothing has to change, with a double of a running udev."""
    with _loop_disks(folder, _IDLE_DISKS, _GIB) as nodes:
        config = _config(
            disks=[
                {"device": node, "partitions": [{"number": 1, "label": "a", "sizeMiB": 100}, {"number": 2}]}
                for node in nodes
            ],
            filesystems=[{"device": f"{node}p1", "format": "ext4", "label": "A"} for node in nodes],
        )
        asked: list[Command] = []

        def watched(command: Command) -> Ran:
            if command.program != "udevadm":
                return run_command(command)
            asked.append(command)
            return Ran(0)

        host = machine(folder, runner=watched)
        udev = Path(host.system) / "run/udev/control"
        udev.parent.mkdir(parents=True)
        udev.touch()
        host = replace(host, devices=BlockDevices(host.system, run=watched, timeout=2.0))
        first, made = _seconds(config, host), len(asked)
        asked.clear()
        again = _seconds(config, host)
    yield _row(f"disks stage, {_IDLE_DISKS} disks, all new", f"{first:.2f} s", f"{made} settles")
    yield _row(
        f"disks stage, {_IDLE_DISKS} disks, nothing to change", f"{again:.2f} s",
        f"{len(asked)} settles (target: at most 1)",
    )  # fmt: skip


# ---- plans ----


def _plans(folder: Path) -> Iterator[str]:
    """Measure `ignition plan` for many disks, minus the time for an empty config."""
    with _loop_disks(folder, _PLANNED_DISKS, 2 * _GIB) as nodes:
        partitions = [
            {"number": number, "label": f"part{number}", "sizeMiB": 64}
            for number in range(1, _PLANNED_PARTITIONS + 1)
        ]
        wanted = [{"device": node, "partitions": partitions} for node in nodes]
        startup = _planned(folder, {})
        name = f"plan for {_PLANNED_DISKS} disks of {_PLANNED_PARTITIONS} partitions"
        empty = _planned(folder, {"disks": wanted}) - startup
        yield _row(f"{name}, new", f"{empty * 1000:.0f} ms", "beyond start-up (target 300 ms)")
        performed(_DISKS, _config(disks=wanted), machine(folder), State())
        there = _planned(folder, {"disks": wanted}) - startup
        yield _row(f"{name}, existing", f"{there * 1000:.0f} ms", "beyond start-up (target 300 ms)")


def _planned(folder: Path, storage: dict[str, Any]) -> float:
    config = folder / "config.ign"
    config.write_text(json.dumps({"ignition": {"version": "3.4.0"}, "storage": storage}))
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        ran = subprocess.run(
            [_PROGRAM, "plan", "--config", config, "--root", folder / "root"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        times.append(time.perf_counter() - began)
        if ran.returncode:
            raise LabError(f"the plan failed:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return min(times)


if __name__ == "__main__":
    for line in disks():
        print(line, flush=True)
