# SPDX-License-Identifier: Apache-2.0
"""The directories of unit files, and how they are listed."""

from __future__ import annotations

from ignition.host.files.root_view import RootView

__all__ = ["names_in"]


def names_in(root: RootView, directory: str) -> list[str]:
    """Return the names in a directory, sorted; none if it does not exist."""
    try:
        return root.list(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
