# SPDX-License-Identifier: Apache-2.0
"""Measure the files stage, and the packaged reference engine with the same config, on this machine.

Each engine fetches its config first. Then the files stage is timed, in turns, on a new filesystem on a loop
device, if possible with its file in memory, so that other disk traffic does not count. The reference requires
SELinux, so the root has a policy, and a program without effect replaces setfiles. Ignition syncs the
filesystem before it ends and the reference does not, so the time of a later sync is printed too.
"""

from __future__ import annotations

import base64
import filecmp
import gzip
import hashlib
import json
import math
import os
import random
import shutil
import subprocess
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from tests.lab.cache import PROJECT
from tests.lab.commands import LabError, run
from tests.lab.loop import attached
from tests.lab.server import Answer, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["files"]

_PYTHON = PROJECT / ".venv" / "bin" / "python"
_REFERENCE = Path("/usr/lib/dracut/modules.d/30ignition/ignition")
_VERSION = "3.3.0"
"""Newest spec version that the packaged reference supports."""

_MANY_REMOTE = 200
_REMOTE_SIZE = 100 * 1024
_DELAY = 0.02
_MANY_LOCAL = 1000
_LOCAL_SIZES = (100, 16_000)
_PLAIN_SIZE = 1000
_UNQUOTED = "!$&'()*+,-./:;=?@_~"
_LARGE = 2**30
_MEMBER = 2**26
"""The large file repeats so many bytes of this machine's programs, each time as a gzip member."""
_MIB = 2**20

_MEASURE = """
import os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
nothing = os.open(os.devnull, os.O_RDONLY)
streams = [(os.POSIX_SPAWN_DUP2, *each) for each in ((nothing, 0), (log, 1), (log, 2))]
began = time.perf_counter()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=streams)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - began, usage.ru_maxrss)
sys.exit(bool(status))
"""
"""A small process starts the engine, because the peak memory of a new process includes that of its parent."""


@dataclass(frozen=True)
class Run:
    """Costs of one run of an engine: seconds, peak memory in MiB, and seconds of a sync after it."""

    seconds: float
    memory: float
    sync: float = 0.0


@dataclass(frozen=True)
class Engine:
    """An engine and its command line without flags."""

    command: tuple[str | Path, ...]

    def files_stage(self, config: Path, folder: Path) -> Run:
        """Fetch the config and time the files stage; `folder` is created again and contains the root."""
        environment = _prepare(folder, config)
        self._run("fetch", folder, environment)
        os.sync()
        done = self._run("files", folder, environment)
        began = time.perf_counter()
        run("sync", "--file-system", folder)
        return replace(done, sync=time.perf_counter() - began)

    def _run(self, stage: str, folder: Path, environment: dict[str, str]) -> Run:
        words = [
            *map(str, self.command),
            f"--stage={stage}",
            "--platform=file",
            "--log-to-stdout",
            f"--root={folder}/root",
            f"--config-cache={folder}/run/ignition.json",
            f"--neednet={folder}/run/neednet",
            f"--state-file={folder}/run/state",
        ]
        log = folder / f"{stage}.log"
        ran = subprocess.run(
            [_PYTHON, "-IS", "-c", _MEASURE, log, *words], env=environment, capture_output=True, text=True
        )
        if ran.returncode:
            told = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else [ran.stderr]
            raise LabError(f"{words[0]} --stage={stage} failed: {' / '.join(told)}")
        seconds, kibibytes = ran.stdout.split()
        return Run(float(seconds), int(kibibytes) / 1024)


def files() -> Iterator[str]:
    """Measure; yield the figures line by line."""
    yield ""
    yield "The files stage, best of several runs in turns"
    yield f"  {'':<42} {'ours':>9} {'reference':>12} {'ratio':>8}"
    with TemporaryDirectory() as name, HttpServer() as server:
        folder = Path(name)
        run(_PYTHON, "-m", "ignition", "initramfs", "--output", folder / "packed")
        (interpreter,) = (folder / "packed").glob("usr/lib/*/bin/python3")
        ours = Engine((interpreter, "-ISXutf8", folder / "packed/usr/bin/ignition"))
        theirs = Engine((_REFERENCE,)) if _REFERENCE.is_file() else None
        with _filesystem(folder) as place:
            for title, config, target, rounds in (
                (f"{_MANY_REMOTE} remote files, {_DELAY * 1000:.0f} ms each", _remote(server), 0.3, 3),
                (f"{_MANY_LOCAL} local files, as Butane writes them", _local(), 1.0, 10),
                (f"{_MANY_LOCAL} local files, 1 kB of plain text", _plain(), None, 10),
                (f"a remote file of {_LARGE // _MIB} MiB, gzip, sha512", _large(server), 1.0, 2),
            ):
                path = folder / "config.ign"
                path.write_text(json.dumps({"ignition": {"version": _VERSION}, "storage": {"files": config}}))
                yield from _compared(title, ours, theirs, path, place, config, target, rounds)


def _compared(
    title: str,
    ours: Engine,
    theirs: Engine | None,
    config: Path,
    place: Path,
    wanted: list[dict[str, Any]],
    target: float | None,
    rounds: int,
) -> Iterator[str]:
    """Run both engines in turns, compare their results, and yield the best time of each."""
    runs: list[Run] = []
    others: list[Run] = []
    for _ in range(rounds):
        runs.append(ours.files_stage(config, place / "ours"))
        if theirs:
            others.append(theirs.files_stage(config, place / "theirs"))
            _expect_equal(place, [file["path"] for file in wanted])
        for folder in ("ours", "theirs"):
            shutil.rmtree(place / folder, ignore_errors=True)
    best = min(each.seconds for each in runs)
    other = min((each.seconds for each in others), default=0.0)
    sync = min((each.sync for each in others), default=0.0)
    ratio = f"{other:10.2f} s {best / other:8.2f}" if others else f"{'-':>12} {'-':>8}"
    yield f"  {title:<42} {best:7.2f} s {ratio}   " + (f"(target {target})" if target else "(no target)")
    yield f"  {'  until it is on the disk':<42} {best:7.2f} s {other + sync:10.2f} s"
    yield f"  {'  resident':<42} {max(each.memory for each in runs):5.0f} MiB {'':>21}   (target 80 MiB)"


def _expect_equal(place: Path, paths: list[str]) -> None:
    for path in paths:
        mine, other = place / "ours/root" / path.lstrip("/"), place / "theirs/root" / path.lstrip("/")
        if not filecmp.cmp(mine, other, shallow=False) or mine.stat().st_mode != other.stat().st_mode:
            raise LabError(f"the engines disagree on {path}")
    filecmp.clear_cache()


@contextmanager
def _filesystem(folder: Path) -> Iterator[Path]:
    """Yield a new ext4 filesystem if loop devices are available, otherwise a directory."""
    memory = Path("/dev/shm")
    spacious = memory.is_dir() and shutil.disk_usage(memory).free > 8 * _LARGE
    with TemporaryDirectory(dir=memory if spacious else folder) as name:
        place = Path(name) / "mounted"
        place.mkdir()
        if os.geteuid():
            yield place
            return
        with attached(Path(name) / "image", 6 * _LARGE) as node:
            run("mkfs.ext4", "-q", node)
            run("mount", node, place)
            try:
                yield place
            finally:
                run("umount", place)


def _prepare(folder: Path, config: Path) -> dict[str, str]:
    """Create an empty root and /run; return the engine's environment."""
    shutil.rmtree(folder, ignore_errors=True)
    programs = folder / "programs"
    for directory in (folder / "root/etc/selinux/bench/contexts/files", folder / "run", programs):
        directory.mkdir(parents=True)
    (folder / "root/etc/selinux/config").write_text("SELINUXTYPE=bench\n")
    (folder / "root/etc/selinux/bench/contexts/files/file_contexts").touch()
    (programs / "setfiles").symlink_to(shutil.which("true") or "/bin/true")
    nowhere = {
        f"IGNITION_SYSTEM_{name}CONFIG_DIR": str(folder / "none") for name in ("", "LOCAL_", "RUNTIME_")
    }
    path = f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin"
    return {"PATH": path, "IGNITION_CONFIG_FILE": str(config), **nowhere}


def _remote(server: HttpServer) -> list[dict[str, Any]]:
    body = random.Random(1).randbytes(_REMOTE_SIZE)
    for number in range(_MANY_REMOTE):
        server.answer(f"/{number}", Answer(body, delay=_DELAY))
    return [_file(number, {"source": server.url(f"/{number}")}) for number in range(_MANY_REMOTE)]


def _local() -> list[dict[str, Any]]:
    """Texts of several sizes, each in the shortest encoding that Butane offers."""
    chance = random.Random(1)
    words = (PROJECT / "docs/architecture.md").read_text().split()
    low, high = map(math.log, _LOCAL_SIZES)
    found = []
    for number in range(_MANY_LOCAL):
        size = int(math.exp(chance.uniform(low, high)))
        text = " ".join(chance.choices(words, k=size // 4))[:size].encode()
        found.append(_file(number, _as_butane_writes(text)))
    return found


def _plain() -> list[dict[str, Any]]:
    """Uncompressed texts: less work, so that the start of the engine has more weight."""
    chance = random.Random(2)
    words = (PROJECT / "docs/architecture.md").read_text().split()
    texts = (" ".join(chance.choices(words, k=_PLAIN_SIZE))[:_PLAIN_SIZE] for _ in range(_MANY_LOCAL))
    return [
        _file(number, {"source": "data:," + quote_from_bytes(text.encode(), safe=_UNQUOTED)})
        for number, text in enumerate(texts)
    ]


def _as_butane_writes(data: bytes) -> dict[str, Any]:
    plain = "data:," + quote_from_bytes(data, safe=_UNQUOTED)
    whole = "data:;base64," + base64.b64encode(data).decode()
    packed = "data:;base64," + base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    shortest = min(plain, whole, packed, key=len)
    return {"source": shortest, "compression": "gzip"} if shortest is packed else {"source": shortest}


def _large(server: HttpServer) -> list[dict[str, Any]]:
    member = _programs(_MEMBER)
    packer = zlib.compressobj(6, wbits=16 + zlib.MAX_WBITS)
    packed = packer.compress(member) + packer.flush()
    digest = hashlib.sha512()
    for _ in range(_LARGE // _MEMBER):
        digest.update(member)
    url = server.answer("/large.gz", Answer(packed * (_LARGE // _MEMBER)))
    hash_ = {"hash": f"sha512-{digest.hexdigest()}"}
    return [_file(0, {"source": url, "compression": "gzip", "verification": hash_})]


def _programs(size: int) -> bytes:
    """Return so many bytes of this machine's programs and libraries."""
    found = bytearray()
    for path in sorted(Path("/usr/lib").rglob("*")):
        if path.is_file() and not path.is_symlink():
            found += path.read_bytes()[: size - len(found)]
            if len(found) == size:
                break
    return bytes(found).ljust(size, b"\0")


def _file(number: int, contents: dict[str, Any]) -> dict[str, Any]:
    return {"path": f"/etc/many/{number // 50}/{number}", "mode": 0o644, "contents": contents}


if __name__ == "__main__":
    for line in files():
        print(line, flush=True)
