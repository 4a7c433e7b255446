"""`ignition apply --root DIR [--users] CONFIG`: apply a config to the tree of an image that is being built.

Directories, files, links and units; with `--users` users and groups too. No running systemd is needed.
Exit status: 0 done, 1 failed, 2 usage.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ignition.verbs.ignition_apply import applied

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Apply what the arguments name; returns the exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="ignition apply",
        description="Apply a config to the tree of an image: directories, files, links and units.",
        allow_abbrev=False,
    )
    parser.add_argument("--root", metavar="DIR", required=True, help="the tree's top")
    parser.add_argument("--users", action="store_true", help="make users and groups too")
    parser.add_argument("--ignore-unsupported", action="store_true", help="leave out what a tree cannot have")
    parser.add_argument("--offline", action="store_true", help="fail where the network would be needed")
    parser.add_argument("config", metavar="CONFIG", help="a file, or - for stdin")
    options = parser.parse_args(arguments)
    if not os.path.isdir(options.root):
        parser.error(f"{options.root} is no directory")
    return applied(
        options.config,
        options.root,
        users=options.users,
        ignore_unsupported=options.ignore_unsupported,
        offline=options.offline,
    )
