# SPDX-License-Identifier: Apache-2.0
"""Platforms: one file for each platform id, named after it.

`cmdline` and `system` are asked before the platform and cannot be chosen with `--platform`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FIRST", "PLATFORMS"]

PLATFORMS: Final = ("file", "metal", "qemu")
FIRST: Final = ("cmdline", "system")
"""Config sources that are asked before the platform, in this order."""
