"""systemctl on a root that is not running: it reads unit files and makes or removes their links.

Scripts of System V are left alone: systemctl would hand them to a program of its own distribution,
looked for in the running system, and fails when that is not there, as in an initramfs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ignition.host.command import Command

__all__ = ["disable", "enable"]

ENVIRONMENT: Final = (("SYSTEMCTL_SKIP_SYSV", "1"),)


def enable(root: str, units: Iterable[str]) -> Command:
    """Make the links that the `[Install]` sections of `units` ask for."""
    return _on_root(root, "enable", units)


def disable(root: str, units: Iterable[str]) -> Command:
    """Remove all links by which `units` would be started."""
    return _on_root(root, "disable", units)


def _on_root(root: str, verb: str, units: Iterable[str]) -> Command:
    names = tuple(units)
    why = f"{verb.removesuffix('e')}ing {', '.join(names)}"
    return Command(("systemctl", f"--root={root}", verb, "--", *names), why, environment=ENVIRONMENT)
