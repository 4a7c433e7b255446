# SPDX-License-Identifier: Apache-2.0
"""Input and output of commands: files or stdin, UTF-8 in any locale, a closed pipe without a traceback."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["complain", "contents", "say"]


def contents(file: str) -> bytes:
    """Return the contents of a file, or of stdin for `-`.

    Raises:
        OSError: the file cannot be read.
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
        # The rest of the buffer needs a writable target, or the interpreter reports an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SystemExit(1) from None
