# SPDX-License-Identifier: Apache-2.0
"""The source files of the checkout, found without git: an unpacked source distribution has none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["PROJECT", "files"]

PROJECT: Final = Path(__file__).parents[2]

GENERATED: Final = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis", ".coverage"}
"""Names that .gitignore lists, and git's own folder."""


def files() -> tuple[Path, ...]:
    """Return all source files, sorted; links to folders are not followed."""
    found = []
    for folder, names, leaves in os.walk(PROJECT):
        names[:] = [name for name in names if not _is_generated(name) and not Path(folder, name).is_symlink()]
        found += [Path(folder, leaf) for leaf in leaves if not _is_generated(leaf)]
    return tuple(sorted(found))


def _is_generated(name: str) -> bool:
    return (
        name in GENERATED or name.endswith((".egg-info", ".pyc", "_cache")) or name.startswith(".coverage.")
    )
