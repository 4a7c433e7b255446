# SPDX-License-Identifier: Apache-2.0
"""setfiles: set SELinux labels."""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host.command import Command

__all__ = ["setfiles"]


def setfiles(root: str, contexts: str, paths: Iterable[str]) -> Command:
    """Label `paths` recursively.

    `contexts`, the policy's file_contexts, and `paths` are paths in the running system. With `-r /` setfiles
    does not find top-level paths, so the option is left out. Source: docs/reference/stages.md, "Relabelling".
    """
    listed = "".join(f"{path}\0" for path in paths)
    where = () if root == "/" else ("-r", root)
    return Command(
        ("setfiles", "-vF0", *where, contexts, "-f", "-"),
        "setting security labels",
        stdin=listed.encode("utf-8", "surrogateescape"),
    )
