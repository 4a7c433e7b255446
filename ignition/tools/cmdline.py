# SPDX-License-Identifier: Apache-2.0
"""The kernel command line: text to words.

The kernel splits its command line at white space outside double quotes and knows no other quoting
(lib/cmdline.c, `next_arg`). The reference's config sources split at white space only and ignore quotes
(docs/reference/stages.md, "Config sources"); both readings are here.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["BLANKS", "WORD", "quoted_words", "values"]

BLANKS: Final = " \t\n\v\f\r"
"""The separators of words; Python's `\\s` would match more."""

WORD: Final = re.compile(rf'(?:[^{BLANKS}"]|"[^"]*(?:"|\Z))+')
"""One word of the kernel, with its quotes."""


def quoted_words(line: str) -> list[str]:
    """Split a command line as the kernel does; words keep their quotes."""
    return WORD.findall(line)


def values(line: str) -> dict[str, str]:
    """Return the `key=value` words, split at white space; the last value of a key wins, "" included."""
    found: dict[str, str] = {}
    for word in line.split():
        key, _, value = word.partition("=")
        if value or key not in found:
            found[key] = value
    return found
