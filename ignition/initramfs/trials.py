# SPDX-License-Identifier: Apache-2.0
"""Run trials of the engine in a child interpreter, without touching the build host.

The same trials run twice: in the build host's Python, to find the modules and files that the engine needs,
and in the packed Python, where they must end with the same exit status and miss no further module.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from ignition.errors import IgnitionError
from ignition.host.command import Command
from ignition.host.run import run
from ignition.initramfs.imports import Import
from ignition.initramfs.packed_tree import QUIET
from ignition.initramfs.probe import MARK

__all__ = ["Job", "Outcome", "Trial", "perform", "trials"]

PROBE: Final = Path(__file__).with_name("probe.py")

UNIT: Final = "[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=multi-user.target\n"
SERVED: Final = b'{"ignition": {"version": "3.4.0"}}'


@dataclass(frozen=True)
class Trial:
    """One call of the engine: arguments, environment, expected exit status."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    status: int = 0


@dataclass(frozen=True)
class Job:
    """Input of the probe; see `probe` for the fields."""

    imports: tuple[Import, ...] = ()
    extras: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    path: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Result of the probe; see `probe` for the fields."""

    modules: Mapping[str, tuple[str, bool]]
    missing: frozenset[str]
    libraries: tuple[str, ...]
    asked: Mapping[str, str | None]
    data: tuple[tuple[str, str, str], ...] = ()


def perform(interpreter: Sequence[str], job: Job) -> Outcome:
    """Perform a job in a child interpreter.

    Args:
        interpreter: command line of a Python, options included.
        job: input of the probe.

    Raises:
        CommandFailed: an import failed, or the child interpreter was killed.
        IgnitionError: a trial ended with an unexpected exit status.
    """
    words: dict[str, Any] = {
        "path": list(job.path),
        "quiet": list(QUIET),
        "hidden": list(job.hidden),
        "imports": [(item.module, item.name) for item in job.imports],
        "extras": list(job.extras),
        "runs": [(list(trial.arguments), dict(trial.environment)) for trial in job.trials],
    }
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory, "result")
        # The stages make root the owner of files; the user who builds an image may be another one.
        root = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
        probe = (*root, *interpreter, str(PROBE), str(result))
        ran = run(Command(probe, "running trials of the engine", stdin=json.dumps(words).encode()))
        found = json.loads(result.read_bytes())
    for trial, status in zip(job.trials, found["statuses"], strict=True):
        if status != trial.status:
            raise IgnitionError(
                f"a trial of the engine failed: exit status {status}, expected {trial.status}:"
                f"\n{output_of(trial, ran.stdout)}"
            )
    modules = {name: (file, package) for name, (file, package) in found["modules"].items()}
    data = tuple((package, path, file) for package, path, file in found["data"])
    return Outcome(modules, frozenset(found["missing"]), tuple(found["libraries"]), found["asked"], data)


def output_of(trial: Trial, output: str) -> str:
    """The command line of a trial and what the engine printed, cut out of the probe's output."""
    _, words, rest = output.partition(" ".join(trial.arguments))
    return words + rest.partition(f"\n{MARK}")[0]


@contextmanager
def trials() -> Iterator[tuple[Trial, ...]]:
    """Yield all trials: files in a temporary directory, and a config on an HTTP server on loopback."""
    with tempfile.TemporaryDirectory() as directory, served(gzip.compress(SERVED)) as url:
        yield tuple(all_boots(Path(directory), url))


def all_boots(directory: Path, url: str) -> Iterable[Trial]:
    """List the trials: one simulated boot per config, with the stages in boot order."""
    digest = hashlib.sha512(SERVED).hexdigest()
    remote = {"source": url, "compression": "gzip", "verification": {"hash": f"sha512-{digest}"}}
    yield from boot(
        directory / "all",
        {
            "ignition": {"version": "3.4.0", "config": {"merge": [remote]}},
            "storage": {
                "directories": [{"path": "/etc/d", "mode": 448}],
                "files": [
                    {"path": "/etc/d/data", "contents": {"source": "data:;base64,YQ=="}},
                    {"path": "/etc/d/remote", "contents": remote, "append": [{"source": "data:,b"}]},
                ],
                "links": [{"path": "/etc/d/link", "target": "/etc/d/data"}],
            },
            "systemd": {
                "units": [{"name": "a.service", "enabled": True, "contents": UNIT}],
            },
        },
    )
    yield from boot(directory / "none", {"ignition": {"version": "3.0.0"}})
    broken = Boot(directory / "broken", "{")
    yield broken.trial("fetch-offline", status=1)
    yield Trial(("ignition", "--stage=fetch", "--platform=nowhere", *broken.options), status=2)
    yield Trial(("ignition", "--version"))


def boot(directory: Path, config: Mapping[str, object]) -> Iterator[Trial]:
    """List the stages of one boot. The config must not have disks: those of the build host stay unchanged."""
    machine = Boot(directory, json.dumps(config))
    yield machine.trial("fetch-offline", "--then=kargs,disks")
    for stage in ("fetch", "kargs", "disks"):
        yield machine.trial(stage)
    yield machine.trial("mount", "--then=files,umount")
    for stage in ("files", "umount"):
        yield machine.trial(stage)


class Boot:
    """A simulated machine: its config, its target root, and the files where its stages keep their state."""

    def __init__(self, directory: Path, config: str) -> None:
        root, run_directory, nothing = (directory / name for name in ("root", "run", "nothing"))
        for path in (root / "etc", run_directory, nothing):
            path.mkdir(parents=True)
        for name in ("passwd", "group"):
            (root / "etc" / name).write_text("")
        config_file = directory / "config.ign"
        config_file.write_text(config)
        command_line = directory / "cmdline"
        command_line.write_text("")
        self.environment = {
            "IGNITION_CONFIG_FILE": str(config_file),
            "IGNITION_KERNEL_CMDLINE_PATH": str(command_line),
            "IGNITION_SYSTEM_RUNTIME_CONFIG_DIR": str(nothing),
            "IGNITION_SYSTEM_LOCAL_CONFIG_DIR": str(nothing),
            "IGNITION_SYSTEM_CONFIG_DIR": str(nothing),
        }
        self.options = (
            "--log-to-stdout",
            f"--root={root}",
            f"--config-cache={run_directory}/ignition.json",
            f"--neednet={run_directory}/neednet",
            f"--state-file={run_directory}/state",
            "--fetch-timeout=10s",
        )

    def trial(self, stage: str, *more: str, status: int = 0) -> Trial:
        arguments = ("ignition", f"--stage={stage}", "--platform=file", *more, *self.options)
        return Trial(arguments, self.environment, status)


@contextmanager
def served(body: bytes) -> Iterator[str]:
    """Run an HTTP server on loopback that answers each request with `body`; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/config.ign"
        finally:
            server.shutdown()
            thread.join()
