# SPDX-License-Identifier: Apache-2.0
"""Constructors for the findings of rules."""

from __future__ import annotations

from ignition.diagnostics import Entry, Severity

__all__ = ["Fault", "error", "warning"]

Fault = tuple[str, str, str]
"""A fault of a value: code, message, hint."""


def error(code: str, message: str, *path: str | int, hint: str = "") -> Entry:
    """Return an error at a path relative to the checked object."""
    return Entry(Severity.ERROR, message, path, code=code, hint=hint)


def warning(code: str, message: str, *path: str | int, hint: str = "") -> Entry:
    """Return a warning at a path relative to the checked object."""
    return Entry(Severity.WARNING, message, path, code=code, hint=hint)
