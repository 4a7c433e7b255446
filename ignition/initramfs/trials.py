"""Trying the engine out: every way of using it that a boot knows, without touching the machine.

The same trials run twice. In the building machine's Python they show what the engine
takes; in the packed Python, alone, they must end the same way and miss nothing that
was not missed before.
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
    """One call of the engine: its arguments, its environment, the exit status it must have."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    status: int = 0


@dataclass(frozen=True)
class Job:
    """What a child interpreter is told to do; see `probe` for the words."""

    imports: tuple[Import, ...] = ()
    extras: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    path: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What that took; see `probe` for the words."""

    modules: Mapping[str, tuple[str, bool]]
    missing: frozenset[str]
    libraries: tuple[str, ...]
    asked: Mapping[str, str | None]
    data: tuple[tuple[str, str, str], ...] = ()


def perform(interpreter: Sequence[str], job: Job) -> Outcome:
    """Do the job in a child interpreter.

    Args:
        interpreter: the command line of a Python, options included.
        job: what to do.

    Raises:
        CommandFailed: something could not be imported, or the child died.
        IgnitionError: a trial ended with another status than it must.
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
        # The stages give files to root, and whoever builds an image may be somebody else.
        root = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
        probe = (*root, *interpreter, str(PROBE), str(result))
        ran = run(Command(probe, "trying the engine out", stdin=json.dumps(words).encode()))
        found = json.loads(result.read_bytes())
    for trial, status in zip(job.trials, found["statuses"], strict=True):
        if status != trial.status:
            raise IgnitionError(
                f"the engine ended with status {status} instead of {trial.status}"
                f" when tried with:\n{said(trial, ran.stdout)}"
            )
    modules = {name: (file, package) for name, (file, package) in found["modules"].items()}
    data = tuple((package, path, file) for package, path, file in found["data"])
    return Outcome(modules, frozenset(found["missing"]), tuple(found["libraries"]), found["asked"], data)


def said(trial: Trial, output: str) -> str:
    """What the engine printed in this trial, after its command line."""
    _, words, rest = output.partition(" ".join(trial.arguments))
    return words + rest.partition(f"\n{MARK}")[0]


@contextmanager
def trials() -> Iterator[tuple[Trial, ...]]:
    """All trials, on a machine made up for them in a temporary directory, with a server beside it."""
    with tempfile.TemporaryDirectory() as directory, served(gzip.compress(SERVED)) as url:
        yield tuple(made_up(Path(directory), url))


def made_up(machine: Path, url: str) -> Iterable[Trial]:
    """The trials in the order of a boot; each config is a boot of its own."""
    digest = hashlib.sha512(SERVED).hexdigest()
    remote = {"source": url, "compression": "gzip", "verification": {"hash": f"sha512-{digest}"}}
    yield from boot(
        machine / "all",
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
    yield from boot(machine / "none", {"ignition": {"version": "3.0.0"}})
    broken = Boot(machine / "broken", "{")
    yield broken.trial("fetch-offline", status=1)
    yield Trial(("ignition", "--stage=fetch", "--platform=nowhere", *broken.options), status=2)
    yield Trial(("ignition", "--version"))


def boot(directory: Path, config: Mapping[str, object]) -> Iterator[Trial]:
    """All stages of one boot. The disks are left alone: no config here has any."""
    machine = Boot(directory, json.dumps(config))
    yield machine.trial("fetch-offline", "--then=kargs,disks")
    for stage in ("fetch", "kargs", "disks"):
        yield machine.trial(stage)
    yield machine.trial("mount", "--then=files,umount")
    for stage in ("files", "umount"):
        yield machine.trial(stage)


class Boot:
    """One made-up machine: its config, its root, where its stages keep their state."""

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
        """One stage on this machine."""
        arguments = ("ignition", f"--stage={stage}", "--platform=file", *more, *self.options)
        return Trial(arguments, self.environment, status)


@contextmanager
def served(body: bytes) -> Iterator[str]:
    """A server on the loopback interface that answers everything with `body`; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/config.ign"
        finally:
            server.shutdown()
            thread.join()
