"""Text that is safe to print on a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(element: str | int) -> str:
    """A text with escapes for whatever a terminal might obey."""
    text = str(element)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
