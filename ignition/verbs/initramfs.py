# SPDX-License-Identifier: Apache-2.0
"""`ignition initramfs`: pack the engine for an initramfs, or check a finished image.

dracut's module calls it while it builds the image:

    ignition initramfs --output DIR     pack into DIR, run the packed engine once, and print the
                                        files of the system that have to be installed too
    ignition initramfs --check IMAGE    fail unless the image has all packed files
    ignition initramfs --sizes          pack into a temporary directory and print the sizes as JSON
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ignition.errors import IgnitionError
from ignition.text import os_error_text
from ignition.verbs.console import complain, say

if TYPE_CHECKING:
    import argparse

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Perform the one action that the arguments name; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        if options.output is not None:
            output(options.output)
        elif options.check is not None:
            check(options.check)
        else:
            sizes()
    except IgnitionError as error:
        complain(f"ignition initramfs: {error}\n")
        if error.hint:
            complain(f"  hint: {error.hint}\n")
        return error.exit_code
    except OSError as error:
        complain(f"ignition initramfs: {os_error_text(error)}\n")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    import argparse

    command = argparse.ArgumentParser(
        prog="ignition initramfs",
        description="Pack the engine for an initramfs, or check a finished image.",
        allow_abbrev=False,
    )
    action = command.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--output", metavar="DIR", type=_not_empty, help="pack the engine into DIR, the root of an initramfs"
    )
    action.add_argument("--check", metavar="IMAGE", type=_not_empty, help="check a finished initramfs image")
    action.add_argument(
        "--sizes", action="store_true", help="print the size of the engine in an initramfs as JSON"
    )
    return command


def _not_empty(path: str) -> str:
    if not path:
        raise ValueError
    return path


def output(directory: str) -> None:
    """Pack the engine, and print the files of the system that it needs."""
    from pathlib import Path

    from ignition.initramfs.packer import pack

    for path in pack(Path(directory).absolute()):
        say(f"{path}\n")


def check(image: str) -> None:
    """Check that an image has all packed files."""
    from pathlib import Path

    from ignition.initramfs.image import check as count_checked

    say(f"{image}: all {count_checked(Path(image))} files of the engine found\n")


def sizes() -> None:
    """Pack into a temporary directory, and print the sizes as JSON."""
    import dataclasses
    import json
    import tempfile
    from pathlib import Path

    from ignition.initramfs.packer import pack
    from ignition.initramfs.sizes import measure

    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        found = measure(tree, pack(tree))
    say(json.dumps(dataclasses.asdict(found), indent=2) + "\n")
