# SPDX-License-Identifier: Apache-2.0
"""mount and umount: change the mount table."""

from __future__ import annotations

from collections.abc import Sequence

from ignition.host.command import Command

__all__ = ["mount", "umount"]


def mount(format_: str, device: str, target: str, options: Sequence[str] = ()) -> Command:
    given = ("-o", ",".join(options)) if options else ()
    return Command(("mount", *given, "-t", format_, device, target), f"mounting {device} at {target}")


def umount(targets: Sequence[str]) -> Command:
    """Unmount all targets in this order; exit status 32 or 64 if all or some of them failed."""
    return Command(("umount", *targets), f"unmounting {', '.join(targets)}")
