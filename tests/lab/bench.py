# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure times and sizes on this machine, in the initramfs and in a guest, with targets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.accelerator import accelerator
from tests.lab.bench_disks import disks
from tests.lab.bench_files import files
from tests.lab.bench_language import language
from tests.lab.cache import PROJECT
from tests.lab.commands import LabError, run
from tests.lab.firstboot import CONFIG, finished, first_boot, machine, stage_times
from tests.lab.initramfs import PYTHON, bare_initramfs, initramfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.lab.firstboot import Machine

_STAGES = ("fetch-offline", "fetch", "kargs", "disks", "mount", "files", "umount")
_FIGURE = PROJECT / "tests" / "lab" / "bench.ign"
"""Two partitions, ext4 and xfs, two files, a user and a unit: the config of the reference's measured time."""
_EMPTY_CONFIG = '{"ignition": {"version": "3.4.0"}}'
_ROUNDS = 10
_MB = 1_000_000

_START_TARGET = "200 ms"
_SIZE_TARGET = "22 MB and 7.5 MB"
_GUEST_TARGET = "7.7 s, which the reference takes; emulated"


@dataclass(frozen=True)
class Size:
    """Size of files in an initramfs, in bytes."""

    unpacked: int
    packed: int

    def __str__(self) -> str:
        return f"{self.unpacked / _MB:8.1f} MB {self.packed / _MB:8.1f} MB"


def main() -> int:
    """Measure and print; return 1 if a measurement is not possible."""
    try:
        lab = machine()
        for part in (_starts(), language(), files(), disks(), _sizes(lab), _guest(lab)):
            for line in part:
                print(line, flush=True)
    except LabError as error:
        print(f"cannot run the benchmark: {error}", file=sys.stderr)
        return 1
    return 0


def _row(name: str, values: str) -> str:
    return f"  {name:<40} {values}"


# ---- start-up ----


def _starts() -> Iterator[str]:
    """Run the packed engine on this machine without work; best of several runs."""
    yield f"Start of a stage without work, on this machine, best of {_ROUNDS} (target: {_START_TARGET})"
    yield _row("", f"{'whole':>11} {'imports':>11}")
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "packed"
        run(PYTHON, "-m", "ignition", "initramfs", "--output", packed)
        (interpreter,) = packed.glob("usr/lib/*/bin/python3")
        python: list[str | Path] = [interpreter, "-ISXutf8"]
        config = Path(folder) / "config.ign"
        config.write_text(_EMPTY_CONFIG)
        yield _row("the interpreter alone", f"{_best([*python, '-c', 'pass'], config):8.0f} ms")
        for stage in _STAGES:
            engine: list[str | Path] = [packed / "usr/bin/ignition", *_arguments(Path(folder), stage)]
            whole = _best([*python, *engine], config)
            imports = _import_time([*python, "-X", "importtime", *engine], config)
            yield _row(stage, f"{whole:8.0f} ms {imports:8.0f} ms")


def _arguments(folder: Path, stage: str) -> list[str]:
    root = folder / "root"
    root.mkdir(exist_ok=True)
    return [
        f"--stage={stage}",
        "--platform=file",
        "--log-to-stdout",
        f"--root={root}",
        f"--config-cache={folder}/ignition.json",
        f"--neednet={folder}/neednet",
        f"--state-file={folder}/state",
    ]


def _ran(command: Sequence[str | Path], config: Path) -> subprocess.CompletedProcess[str]:
    words = list(map(str, command))
    ran = subprocess.run(
        words,
        env={**os.environ, "IGNITION_CONFIG_FILE": str(config), "PYDANTIC_DISABLE_PLUGINS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise LabError(f"{' '.join(words[-7:])}: exit status {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran


def _best(command: Sequence[str | Path], config: Path) -> float:
    """Return the time of the fastest of several runs, in ms."""
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        _ran(command, config)
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def _import_time(command: Sequence[str | Path], config: Path) -> float:
    """Return the import time that the interpreter reports, in ms. Reporting takes time itself."""
    own = re.compile(r"^import time: +(\d+) \|", re.MULTILINE)
    return min(sum(map(int, own.findall(_ran(command, config).stderr))) for _ in range(_ROUNDS)) / 1000


# ---- size ----


def _sizes(lab: Machine) -> Iterator[str]:
    yield f"\nIn the initramfs (targets: {_SIZE_TARGET})"
    yield _row("", f"{'unpacked':>11} {'zstd -19':>11}")
    engine = json.loads(run(PYTHON, "-m", "ignition", "initramfs", "--sizes"))
    yield _row("the engine and its Python", str(Size(engine["unpacked"], engine["compressed"])))
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = Path(folder) / "ours", Path(folder) / "bare"
        _unpack(lab.initramfs, ours)
        _unpack(bare_initramfs(lab.kernel, _modules_asked_for()), bare)
        yield _row("with programs and kernel modules", str(_size(ours, _files(ours) - _files(bare))))
        clevis = Path(folder) / "clevis"
        _unpack(initramfs(lab.kernel, clevis=True), clevis)
        yield _row("Clevis in addition, where enabled", str(_size(clevis, _files(clevis) - _files(ours))))
        if reference := _reference():
            run("strip", "-o", Path(folder) / "ignition", reference)
            yield _row("the packaged reference's program alone", str(_size(Path(folder), {"ignition"})))


def _modules_asked_for() -> tuple[str, ...]:
    """Return the dracut modules that the ignition module depends on, for an image to compare with."""
    setup = PROJECT / "dracut" / "30ignition" / "module-setup.sh"
    return tuple(run("bash", "-c", '. "$0" && depends', setup).split())


def _unpack(image: Path, folder: Path) -> None:
    folder.mkdir()
    run("lsinitrd", "--unpack", image, cwd=folder)


def _files(tree: Path) -> set[str]:
    return {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file() and not p.is_symlink()}


def _size(tree: Path, files: set[str]) -> Size:
    listing = tree.parent / "listing"
    listing.write_text("".join(f"{name}\n" for name in sorted(files)))
    archive = tree.parent / "archive.tar"
    run("tar", "--create", f"--file={archive}", f"--directory={tree}", f"--files-from={listing}")
    run("zstd", "-19", "--force", "--quiet", "-T0", archive)
    packed = archive.with_name("archive.tar.zst").stat().st_size
    return Size(sum((tree / name).stat().st_size for name in files), packed)


def _reference() -> Path | None:
    """Return the program of Debian's package `ignition`; None if it is not installed."""
    try:
        files = map(Path, run("dpkg-query", "--listfiles", "ignition").splitlines())
    except LabError:
        return None
    return next((file for file in files if file.name == "ignition" and file.is_file()), None)


# ---- the guest ----


def _guest(lab: Machine) -> Iterator[str]:
    accelerated = accelerator(lab.kernel)[1].partition(",")[0]
    yield f"\nIn the guest ({accelerated})"
    yield from _times(lab, _FIGURE, f"the config of the figure (target: {_GUEST_TARGET})")
    yield from _times(lab, CONFIG, "the demo's config, which brings the network up")


def _times(lab: Machine, config: Path, name: str) -> Iterator[str]:
    outcome = first_boot(lab, config)
    if not finished(outcome):
        raise LabError(f"the first boot with {config.name} did not finish:\n{outcome.tail()}")
    stages = stage_times(outcome)
    whole = max(stage.ended for stage in stages) - min(stage.started for stage in stages)
    yield f" {name}"
    for stage in stages:
        yield _row(stage.stage, f"{stage.ended - stage.started:9.2f} s")
    yield _row("first start to last end", f"{whole:9.2f} s")


if __name__ == "__main__":
    sys.exit(main())
