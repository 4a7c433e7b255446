"""Paths into a config: the type, and how a path is printed."""

from __future__ import annotations

from ignition.text import printable

__all__ = ["ConfigPath", "format_path"]

ConfigPath = tuple[str | int, ...]
"""Where in a config: JSON names and list indices, for example
`("storage", "files", 0, "path")`. A tuple, never a string, so that prefixes are
added by whoever knows where a part stands."""


def format_path(path: ConfigPath) -> str:
    """`("storage", "files", 0)` as the reference prints it: `$.storage.files.0`.

    Names of unknown keys are the config's own: what is not printable is escaped, so
    that a config cannot speak to the terminal that shows its report.
    """
    return ".".join(("$", *map(printable, path)))
