# SPDX-License-Identifier: Apache-2.0
"""modprobe: load kernel modules."""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host.command import Command

__all__ = ["load"]

MISSING = 1


def load(modules: Iterable[str]) -> Command:
    """Load the modules; missing ones are not a failure."""
    modules = tuple(modules)
    why = f"loading the kernel module{'s' if len(modules) > 1 else ''} {', '.join(modules)}"
    return Command(("modprobe", "--quiet", "--all", *modules), why, ok=(0, MISSING))
