"""How a rule says what it found."""

from __future__ import annotations

from ignition.diagnostics import Entry, Severity

__all__ = ["Fault", "error", "warning"]

Fault = tuple[str, str, str]
"""What a helper found wrong with a value: code, message, hint."""


def error(code: str, message: str, *path: str | int, hint: str = "") -> Entry:
    """An error at a path relative to the object that is checked."""
    return Entry(Severity.ERROR, message, path, code=code, hint=hint)


def warning(code: str, message: str, *path: str | int, hint: str = "") -> Entry:
    """A warning at a path relative to the object that is checked."""
    return Entry(Severity.WARNING, message, path, code=code, hint=hint)
