"""A program for child interpreters: compiles modules for the packed tree.

    python -I -X no_debug_ranges bytecode.py < list         JSON: [source, target, shown, level] …

It runs in the interpreter that will be packed, so the byte code is the right one,
and without column tables, which take a fifth of the size and are of use only where
the source is at hand. The hash in the header is never compared with a source.
"""

from __future__ import annotations

import json
import py_compile
import sys


def main() -> None:
    """Compile all that is listed."""
    for source, target, shown, level in json.load(sys.stdin):
        py_compile.compile(
            source,
            cfile=target,
            dfile=shown,
            doraise=True,
            optimize=level,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    main()
