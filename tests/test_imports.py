# SPDX-License-Identifier: Apache-2.0
"""Import budget of the stages: each import costs time on every first boot, more so on a slow machine.

Each stage runs in a process of its own, and its top-level modules at the end must be in the list. A module
that is not in the list must be imported inside the function that needs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_commands

BUDGET = """
abc array ast atexit binascii bisect builtins codecs collections contextlib contextvars copy copyreg ctypes
dataclasses dis encodings enum errno fcntl functools gc genericpath ignition importlib inspect io itertools
json keyword linecache locale marshal math opcode operator os posix posixpath re reprlib select
selectors signal site socket stat string struct subprocess sys textwrap threading time token tokenize
traceback types typing warnings weakref zipimport
"""
EVERY_STAGE = frozenset(BUDGET.split())
"""Modules for start-up, logging, running programs and reading the cached config."""

MORE = {
    "fetch-offline": frozenset({"hashlib", "zlib"}),
    "disks": frozenset({"zlib"}),
    "files": frozenset({"hashlib"}),
}
"""Additional modules of single stages."""

SCRIPT = """
import json, sys
before = set(sys.modules)
from ignition.verbs.stage import main
status = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump(sorted({name.partition(".")[0] for name in set(sys.modules) - before}), file)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("machine")
    (directory / "root").mkdir()
    (directory / "run").mkdir()
    (directory / "config.ign").write_text(json.dumps({"ignition": {"version": "3.4.0"}}))
    assert imports(directory, "fetch-offline")
    return directory


def imports(machine: Path, stage: str) -> set[str]:
    """Return the public top-level modules that a stage without work imports."""
    found = machine / f"{stage}.json"
    arguments = [
        f"--stage={stage}", "--platform=file", "--log-to-stdout", f"--root={machine / 'root'}",
        f"--config-cache={machine / 'ignition.json'}", f"--neednet={machine / 'run' / 'neednet'}",
        f"--state-file={machine / 'run' / 'state'}",
    ]  # fmt: skip
    subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT, str(found), *arguments],
        check=True,
        capture_output=True,
        env={"IGNITION_CONFIG_FILE": str(machine / "config.ign"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    return {name for name in json.loads(found.read_text()) if not name.startswith("_")}


@pytest.mark.parametrize("stage", ["fetch-offline", "kargs", "disks", "mount", "files", "umount"])
def test_stage_without_work_imports_only_budgeted_modules(machine: Path, stage: str) -> None:
    assert imports(machine, stage) - EVERY_STAGE - MORE.get(stage, frozenset()) == set()
