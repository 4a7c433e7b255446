# SPDX-License-Identifier: Apache-2.0
"""systemctl with `--root`: enable and disable units of the target root.

System V scripts are skipped: systemctl would pass them to a program of its distribution in the running
system, which an initramfs lacks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ignition.host.command import Command

__all__ = ["disable", "enable"]

ENVIRONMENT: Final = (("SYSTEMCTL_SKIP_SYSV", "1"),)


def enable(root: str, units: Iterable[str]) -> Command:
    """Create the symlinks of the `[Install]` sections of `units`."""
    return _on_root(root, "enable", units)


def disable(root: str, units: Iterable[str]) -> Command:
    """Remove all symlinks that start `units`."""
    return _on_root(root, "disable", units)


def _on_root(root: str, verb: str, units: Iterable[str]) -> Command:
    names = tuple(units)
    why = f"{verb.removesuffix('e')}ing {', '.join(names)}"
    return Command(("systemctl", f"--root={root}", verb, "--", *names), why, environment=ENVIRONMENT)
