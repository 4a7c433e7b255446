# SPDX-License-Identifier: Apache-2.0
"""`ignition apply --root DIR [--users] CONFIG`: apply a config to the root of an image during its build.

Applies directories, files, links and units; with `--users` also users and groups. Does not need a running
systemd. Exit status: 0 done, 1 failed, 2 usage.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ignition.verbs.ignition_apply import applied

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Apply the config that the arguments name; return the exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="ignition apply",
        description="Apply a config to the root of an image: directories, files, links and units.",
        allow_abbrev=False,
    )
    parser.add_argument("--root", metavar="DIR", required=True, help="root directory of the image")
    parser.add_argument("--users", action="store_true", help="create users and groups too")
    parser.add_argument(
        "--ignore-unsupported", action="store_true", help="skip sections that need a booting machine"
    )
    parser.add_argument("--offline", action="store_true", help="fail if the network is needed")
    parser.add_argument("config", metavar="CONFIG", help="a file, or - for stdin")
    options = parser.parse_args(arguments)
    if not os.path.isdir(options.root):
        parser.error(f"cannot use --root {options.root}: not a directory")
    return applied(
        options.config,
        options.root,
        users=options.users,
        ignore_unsupported=options.ignore_unsupported,
        offline=options.offline,
    )
