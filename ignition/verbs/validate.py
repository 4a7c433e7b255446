"""`ignition validate [--strict] [--output text|json|sarif|github] PATH…`: judge configs, and explain.

A path is a file, a directory (searched for `*.ign` and `*.json`), or `-` for stdin.
Exit status: 0 all are valid, 1 one is not (or warns, with `--strict`), 2 usage.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ignition.config.verdict import Verdict, judge, unreadable
from ignition.errors import UsageError
from ignition.verbs.console import complain, contents, say

if TYPE_CHECKING:
    import argparse

__all__ = ["main"]

ENDINGS: Final = (".ign", ".json")
"""Files that count as configs where a directory is given."""

MANY: Final = 200
"""From this many files on, starting further processes pays off."""


def main(arguments: Sequence[str]) -> int:
    """Judge what the arguments name; returns the exit status."""
    from ignition.verbs.outputs import OUTPUTS

    options = parser(tuple(OUTPUTS)).parse_args(arguments)
    try:
        files = list(files_of(options.paths))
    except UsageError as error:
        complain(f"ignition validate: {error}\n")
        return error.exit_code
    passed = True

    def watched() -> Iterator[Verdict]:
        nonlocal passed
        for verdict in verdicts(files):
            passed = passed and verdict.valid and not (options.strict and verdict.findings)
            yield verdict

    for piece in OUTPUTS[options.output](watched()):
        say(piece)
    return 0 if passed else 1


def parser(outputs: Sequence[str]) -> argparse.ArgumentParser:
    """The command line."""
    import argparse

    command = argparse.ArgumentParser(
        prog="ignition validate",
        description="Judge configs, and explain what is wrong with them.",
        epilog="`ignition explain CODE` tells more about a finding.",
        allow_abbrev=False,
    )
    command.add_argument("--strict", action="store_true", help="warnings make the exit status 1 too")
    command.add_argument("--output", choices=outputs, default="text", help="how to print (default: text)")
    help_on_path = "a file, a directory to be searched for *.ign and *.json, or - for stdin"
    command.add_argument("paths", nargs="+", metavar="PATH", help=help_on_path)
    return command


def files_of(paths: Iterable[str]) -> Iterator[str]:
    """The files that the paths stand for; in a directory in the order of their names.

    Raises:
        UsageError: a directory cannot be searched, or has no configs, so that nothing would be judged.
    """
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        found = sorted(_search(path))
        if not found:
            raise UsageError(f"there are no *.ign and *.json files in {path}")
        yield from found


def _search(directory: str) -> Iterator[str]:
    def give_up(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be searched: {error.strerror}") from error

    for folder, _, names in os.walk(directory, onerror=give_up):
        yield from (os.path.join(folder, name) for name in names if name.endswith(ENDINGS))


def verdicts(files: Sequence[str]) -> Iterator[Verdict]:
    """The verdicts on all files in their order, from several processes if there are many."""
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
    """Read and judge one file."""
    try:
        data = contents(file)
    except OSError as error:
        return unreadable(file, error.strerror or str(error))
    return judge(data, file)
