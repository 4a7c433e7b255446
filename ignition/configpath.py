# SPDX-License-Identifier: Apache-2.0
"""Paths into a config: the type, and how a path is printed."""

from __future__ import annotations

from ignition.text import printable

__all__ = ["ConfigPath", "format_path"]

ConfigPath = tuple[str | int, ...]
"""A place in a config: JSON names and list indices, for example `("storage", "files", 0, "path")`.

A tuple and not a string, so that a caller can add a prefix.
"""


def format_path(path: ConfigPath) -> str:
    """Format a path like the reference: `("storage", "files", 0)` becomes `$.storage.files.0`.

    Unprintable characters are escaped, because the names of unknown keys come from the config and could
    contain control sequences for the terminal.
    """
    return ".".join(("$", *map(printable, path)))
