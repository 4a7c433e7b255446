# SPDX-License-Identifier: Apache-2.0
"""What reading configs costs, beside the packaged reference's validator where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.cache import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Command = Sequence[str | Path]

__all__ = ["language"]

_PROGRAM = PROJECT / ".venv" / "bin" / "ignition"
_VALIDATOR = PROJECT / ".venv" / "bin" / "ignition-validate"
_MANY = 1000
_FILES = 10_000
_ROUNDS = 10
_MIB = 1024

_LARGE = """
import resource, sys, time
from ignition.config.parse import parse
data = open(sys.argv[1], "rb").read()
began = time.perf_counter()
parse(data)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def language() -> Iterator[str]:
    """Measure; yield the figures line by line."""
    reference = shutil.which("ignition-validate", path="/usr/bin:/usr/libexec")
    yield ""
    yield "Reading configs"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _cold(folder, reference)
        yield from _many(folder, reference)
        yield from _large(folder)


def _cold(folder: Path, reference: str | None) -> Iterator[str]:
    config = _write(folder / "small.ign", _small(0))
    yield _row("ignition-validate, one small config", _best([_VALIDATOR, config]), "target 150 ms")
    if reference:
        yield _row("  the reference's", _best([reference, config]))


def _many(folder: Path, reference: str | None) -> Iterator[str]:
    many = folder / "many"
    many.mkdir()
    configs = [_write(many / f"{index}.ign", _small(index)) for index in range(_MANY)]
    ours = _best([_PROGRAM, "validate", many], rounds=3)
    yield _row(f"ignition validate, {_MANY} small configs", ours, "target: a tenth of the reference")
    if reference:
        began = time.perf_counter()
        for config in configs:
            _run([reference, config])
        theirs = time.perf_counter() - began
        yield _row(f"  {_MANY} runs of the reference's", theirs, f"{theirs / ours:.0f} times ours")


def _large(folder: Path) -> Iterator[str]:
    config = _write(folder / "large.ign", _config([_file(index) for index in range(_FILES)]))
    printed = subprocess.run(
        [sys.executable, "-c", _LARGE, config], check=True, capture_output=True, text=True
    ).stdout
    seconds, kibibytes = printed.split()
    memory = f"{int(kibibytes) / _MIB:.0f} MiB; targets 1 s and 200 MiB"
    yield _row(f"parse and validate {_FILES} files", float(seconds), memory)


def _row(name: str, seconds: float, note: str = "") -> str:
    return f"  {name:<44} {seconds * 1000:8.0f} ms   {note}".rstrip()


def _best(command: Command, rounds: int = _ROUNDS) -> float:
    """Return the time of the fastest of several runs, in seconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        _run(command)
        times.append(time.perf_counter() - began)
    return min(times)


def _run(command: Command) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(json.dumps(config))
    return path


def _config(files: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ignition": {"version": "3.3.0"}, "storage": {"files": files}}


def _small(index: int) -> dict[str, Any]:
    config = _config([_file(index)])
    config["passwd"] = {"users": [{"name": "core", "sshAuthorizedKeys": ["ssh-ed25519 AAAA"]}]}
    config["systemd"] = {"units": [{"name": "a.service", "contents": "[Service]\nExecStart=/bin/true\n"}]}
    return config


def _file(index: int) -> dict[str, Any]:
    return {"path": f"/etc/many/{index}", "mode": 420, "contents": {"source": f"data:,file%20{index}"}}


if __name__ == "__main__":
    for line in language():
        print(line, flush=True)
