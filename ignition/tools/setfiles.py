"""setfiles: gives files the security labels that the policy of their root has for them."""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host.command import Command

__all__ = ["setfiles"]


def setfiles(root: str, contexts: str, paths: Iterable[str]) -> Command:
    """Label `paths` and all below them.

    `contexts` is the policy's file of contexts, and both it and `paths` are named as the running system
    sees them. A root of `/` is not named: with `-r /` the program finds no top-level path.
    Source: engine.md 9.5, point 10.
    """
    listed = "".join(f"{path}\0" for path in paths)
    where = () if root == "/" else ("-r", root)
    return Command(
        ("setfiles", "-vF0", *where, contexts, "-f", "-"),
        "setting security labels",
        stdin=listed.encode("utf-8", "surrogateescape"),
    )
