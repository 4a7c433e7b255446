# SPDX-License-Identifier: Apache-2.0
"""`ignition validate [--strict] [--output text|json|sarif|github] PATH…`: check configs and explain findings.

A path is a file, a directory (searched for `*.ign` and `*.json`), or `-` for stdin. Exit status: 0 all
configs are valid, 1 a config is invalid (or has warnings, with `--strict`), 2 usage.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ignition.config.verdict import Verdict, judge, unreadable
from ignition.errors import UsageError
from ignition.text import strerror
from ignition.verbs.console import complain, contents, say

if TYPE_CHECKING:
    import argparse

__all__ = ["main"]

ENDINGS: Final = (".ign", ".json")
"""Suffixes of configs in directories."""

MANY: Final = 200
"""Number of files from which further processes save time."""


def main(arguments: Sequence[str]) -> int:
    """Check the configs that the arguments name; return the exit status."""
    from ignition.verbs.outputs import OUTPUTS

    options = parser(tuple(OUTPUTS)).parse_args(arguments)
    try:
        files = list(files_of(options.paths))
    except UsageError as error:
        complain(f"ignition validate: {error}\n")
        return error.exit_code
    passed = True

    def watch() -> Iterator[Verdict]:
        nonlocal passed
        for verdict in verdicts(files):
            passed = passed and verdict.valid and not (options.strict and verdict.findings)
            yield verdict

    for piece in OUTPUTS[options.output](watch()):
        say(piece)
    return 0 if passed else 1


def parser(outputs: Sequence[str]) -> argparse.ArgumentParser:
    """Return the command line."""
    import argparse

    command = argparse.ArgumentParser(
        prog="ignition validate",
        description="Check configs and explain findings.",
        epilog="`ignition explain CODE` explains a finding.",
        allow_abbrev=False,
    )
    command.add_argument("--strict", action="store_true", help="exit with status 1 on warnings too")
    command.add_argument("--output", choices=outputs, default="text", help="output format (default: text)")
    help_on_path = "a file, a directory to search for *.ign and *.json, or - for stdin"
    command.add_argument("paths", nargs="+", metavar="PATH", help=help_on_path)
    return command


def files_of(paths: Iterable[str]) -> Iterator[str]:
    """Yield the files of the paths; those of a directory in the order of their names.

    Raises:
        UsageError: a directory cannot be searched, or has no configs.
    """
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        found = sorted(_search(path))
        if not found:
            raise UsageError(f"cannot find configs in {path}: no *.ign and *.json files")
        yield from found


def _search(directory: str) -> Iterator[str]:
    def give_up(error: OSError) -> None:
        raise UsageError(f"cannot search {error.filename}: {strerror(error)}") from error

    for folder, _, names in os.walk(directory, onerror=give_up):
        yield from (os.path.join(folder, name) for name in names if name.endswith(ENDINGS))


def verdicts(files: Sequence[str]) -> Iterator[Verdict]:
    """Yield the verdicts on all files in order; many files are checked in several processes."""
    workers = min(len(os.sched_getaffinity(0)), len(files) // (MANY // 2))
    if workers < 2:
        yield from map(examine, files)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        # A worker has no stdin.
        judged = pool.map(examine, (file for file in files if file != "-"), chunksize=MANY // 4)
        for file in files:
            yield examine(file) if file == "-" else next(judged)


def examine(file: str) -> Verdict:
    """Read and check one file."""
    try:
        data = contents(file)
    except OSError as error:
        return unreadable(file, strerror(error))
    return judge(data, file)
