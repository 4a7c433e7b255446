# SPDX-License-Identifier: Apache-2.0
"""Fake programs in PATH that give prepared output and log their calls."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

_RECORDER = """\
import json, os, sys
log, *argv = sys.argv[1:]
stdin = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
call = json.dumps({"argv": argv, "stdin": stdin, "environment": dict(os.environ)}) + "\\n"
descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(descriptor, call.encode())
"""


@dataclass(frozen=True)
class Call:
    """One call of a fake program; `argv[0]` is its bare name."""

    argv: tuple[str, ...]
    stdin: str
    environment: dict[str, str]


class Programs:
    """A directory of fake programs, and the log of their calls in order of their start."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "bin"
        self.directory.mkdir(parents=True)
        self._log = directory / "calls.jsonl"
        self._recorder = directory / "record.py"
        self._recorder.write_text(_RECORDER)

    def add(
        self, name: str, *, stdout: str = "", stderr: str = "", status: int = 0, script: str = ""
    ) -> Path:
        """Add or replace the program `name`.

        It logs arguments, environment and standard input, runs `script` (sh), prints `stdout` and `stderr`,
        and exits with `status`.
        """
        record = [sys.executable, "-I", "-S", str(self._recorder), str(self._log), name]
        lines = (
            "#!/bin/sh",
            f'{shlex.join(record)} "$@" || exit 125',
            script,
            f"printf %s {shlex.quote(stdout)}",
            f"printf %s {shlex.quote(stderr)} >&2",
            f"exit {status}",
        )
        program = self.directory / name
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)
        return program

    @property
    def calls(self) -> list[Call]:
        if not self._log.exists():
            return []
        records = map(json.loads, self._log.read_text().splitlines())
        return [Call(tuple(r["argv"]), r["stdin"], r["environment"]) for r in records]

    @property
    def argvs(self) -> list[tuple[str, ...]]:
        return [call.argv for call in self.calls]
