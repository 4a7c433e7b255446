"""Run the programs that the lab is made with; a failure shows the end of what the program said."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class LabError(Exception):
    """The lab itself, not what is tested in it, is out of order."""


def say(text: str) -> None:
    """Tell whoever waits what is going on."""
    print(text, file=sys.stderr, flush=True)


def run(*argv: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it wrote to stdout.

    Raises:
        LabError: it is missing or failed; with the last lines of its output.
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
        raise LabError(f"{words[0]} is missing: run `make setup`") from error
    if ran.returncode != 0:
        raise LabError(
            f"{_short(words)} failed with status {ran.returncode}:\n{_tail(ran.stdout + ran.stderr)}"
        )
    return ran.stdout


def as_root() -> tuple[str, ...]:
    """Words before a program that has to believe it is root: it makes files of several owners."""
    return () if os.geteuid() == 0 else ("fakeroot",)


def _path() -> str:
    """What is searched for programs; some of them Debian keeps out of a user's way."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _short(words: Sequence[str]) -> str:
    return " ".join(words[:6]) + (" …" if len(words) > 6 else "")


def _tail(output: str, lines: int = 25) -> str:
    return "\n".join(output.splitlines()[-lines:])
