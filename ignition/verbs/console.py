"""How verbs read and print: files or stdin; UTF-8 in any locale, no complaint when nobody reads on."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["complain", "contents", "say"]


def contents(file: str) -> bytes:
    """The contents of a file, or all of stdin for `-`.

    Raises:
        OSError: they cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    with open(file, "rb") as opened:
        return opened.read()


def say(text: str) -> None:
    """Print to stdout; no newline is added."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Print to stderr; no newline is added."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.flush()
        stream.buffer.write(text.encode(errors="backslashreplace"))
        stream.flush()
    except BrokenPipeError:
        # What the stream still holds must go somewhere, or the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SystemExit(1) from None
