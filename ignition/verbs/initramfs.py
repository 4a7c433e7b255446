"""`ignition initramfs`: pack the engine for an initramfs, or look into a finished image.

dracut's module calls it while building the image:

    ignition initramfs --output DIR     pack below DIR and try the result out; prints the
                                        files of the system that have to be installed too
    ignition initramfs --check IMAGE    fail unless the image holds all that was packed
    ignition initramfs --sizes          pack aside and print the sizes as JSON
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ignition.errors import IgnitionError, UsageError
from ignition.verbs import go_flags
from ignition.verbs.go_flags import Flag

__all__ = ["main"]

FLAGS: Final = (
    Flag("output", "pack the engine below this directory, the root of an initramfs"),
    Flag("check", "look into this initramfs image"),
    Flag("sizes", "print how much the engine adds to an initramfs", boolean=True),
)


def main(arguments: Sequence[str]) -> int:
    """Do what the one given flag says; returns the exit status."""
    try:
        values, rest = go_flags.parse(FLAGS, arguments)
        action = chosen(values, rest)
    except go_flags.HelpWanted:
        sys.stderr.write(go_flags.usage("ignition initramfs", FLAGS))
        return 0
    except UsageError as error:
        sys.stderr.write(f"{error}\n{go_flags.usage('ignition initramfs', FLAGS)}")
        return error.exit_code
    try:
        action()
    except IgnitionError as error:
        sys.stderr.write(f"ignition initramfs: {error}\n")
        if error.hint:
            sys.stderr.write(f"{error.hint}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"ignition initramfs: {error}\n")
        return 1
    return 0


def chosen(values: Mapping[str, str], rest: Sequence[str]) -> Callable[[], None]:
    """The one action that the flags ask for.

    Raises:
        UsageError: none, or more than one.
    """
    actions: dict[str, Callable[[], None]] = {
        "output": lambda: output(values["output"]),
        "check": lambda: check(values["check"]),
        "sizes": sizes,
    }
    given = [name for name in actions if values[name] not in {"", "false"}]
    if len(given) != 1 or rest:
        raise UsageError("exactly one of --output, --check and --sizes is needed, and nothing else")
    return actions[given[0]]


def output(directory: str) -> None:
    """Pack, and print what the packed engine needs of the system."""
    from pathlib import Path

    from ignition.initramfs.collect import collect

    for path in collect(Path(directory).absolute()):
        sys.stdout.write(f"{path}\n")


def check(image: str) -> None:
    """Look into an image."""
    from pathlib import Path

    from ignition.initramfs.image import check as look

    sys.stdout.write(f"{image}: all {look(Path(image))} files of the engine are there\n")


def sizes() -> None:
    """Pack into a temporary directory and measure."""
    import dataclasses
    import json
    import tempfile
    from pathlib import Path

    from ignition.initramfs.collect import collect
    from ignition.initramfs.sizes import measure

    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        found = measure(tree, collect(tree))
    sys.stdout.write(json.dumps(dataclasses.asdict(found), indent=2) + "\n")
