# SPDX-License-Identifier: Apache-2.0
"""Text that is safe to print on a terminal."""

from __future__ import annotations

import os

__all__ = ["os_error_text", "printable", "strerror"]


def printable(element: str | int) -> str:
    """Return the text with all unprintable characters escaped."""
    text = str(element)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def strerror(error: OSError) -> str:
    """Return the system's words for an error, as the middle of a sentence: "permission denied"."""
    text = error.strerror or type(error).__name__
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def os_error_text(error: OSError) -> str:
    """Return an error with its path and without its number: "/etc/x: read-only file system"."""
    if isinstance(error.filename, str | bytes):
        return f"{printable(os.fsdecode(error.filename))}: {strerror(error)}"
    return strerror(error) if error.strerror else str(error)
