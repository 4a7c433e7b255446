"""Platforms, one file per id; the file name is the id.

`cmdline` and `system` are asked before the platform itself and cannot be
chosen with `--platform`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FIRST", "PLATFORMS"]

PLATFORMS: Final = ("file", "metal", "qemu")
FIRST: Final = ("cmdline", "system")
"""Sources of a config that come before the platform, in this order."""
