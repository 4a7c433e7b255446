# SPDX-License-Identifier: Apache-2.0
"""Compile modules for the packed tree: a program for a child interpreter.

    python -I -X no_debug_ranges bytecode.py < list         JSON: [source, target, shown, level] …

The interpreter that is packed runs this program, so that the magic number of the byte code matches.
`no_debug_ranges` leaves out the column tables: a fifth of the size, and useful only where the source is at
hand. Docstrings are left out too; assertions only if the optimisation level says so.
The header marks the byte code as unchecked: the interpreter does not compare it with a source.

Source: PEP 552 (header), the standard library's py_compile (file layout).
"""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import sys
from pathlib import Path
from typing import Any

UNCHECKED_HASH = 0b01
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def main() -> None:
    for source, target, shown, level in json.load(sys.stdin):
        text = Path(source).read_bytes()
        tree = DocstringRemover().visit(ast.parse(text, shown))
        code = compile(tree, shown, "exec", dont_inherit=True, optimize=level)
        Path(target).write_bytes(header(text) + marshal.dumps(code))


def header(source: bytes) -> bytes:
    """Return the 16-byte header of a byte code file: magic number, flags, hash of the source."""
    flags = UNCHECKED_HASH.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)


class DocstringRemover(ast.NodeTransformer):
    """Remove the docstrings of a module, its classes and its functions."""

    def visit(self, node: ast.AST) -> Any:
        self.generic_visit(node)
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text, *rest = node.body
            node.body = rest or [ast.copy_location(ast.Pass(), text)]
        return node


if __name__ == "__main__":
    main()
