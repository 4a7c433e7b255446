# SPDX-License-Identifier: Apache-2.0
"""Run programs that build the test environment; a failure shows the end of their output."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class LabError(Exception):
    """The test environment is broken, not the tested code."""


def say(text: str) -> None:
    """Print a progress message."""
    print(text, file=sys.stderr, flush=True)


def run(*argv: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        LabError: the program is missing or failed; the message has the last lines of its output.
    """
    words = list(map(str, argv))
    try:
        ran = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": _path(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise LabError(f'program "{words[0]}" not found: run `make setup`') from error
    if ran.returncode != 0:
        raise LabError(f"{_short(words)} exit status {ran.returncode}:\n{_tail(ran.stdout + ran.stderr)}")
    return ran.stdout


def as_root() -> tuple[str, ...]:
    """Return the prefix for programs that create files of several owners."""
    return () if os.geteuid() == 0 else ("fakeroot",)


def _path() -> str:
    """Return the search path, with directories that Debian leaves out for users."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _short(words: Sequence[str]) -> str:
    return " ".join(words[:6]) + (" …" if len(words) > 6 else "")


def _tail(output: str, lines: int = 25) -> str:
    return "\n".join(output.splitlines()[-lines:])
