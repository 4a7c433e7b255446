"""A program for child interpreters: compiles modules for the packed tree.

    python -I -X no_debug_ranges bytecode.py < list         JSON: [source, target, shown, level] …

It runs in the interpreter that will be packed, so the byte code is the right one,
and without column tables, which take a fifth of the size and are of use only where
the source is at hand. Docstrings go too, assertions do not unless the level says so.
The hash in the header is never compared with a source.

Source: PEP 552 for the header, py_compile for what makes a file of byte code.
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
    """Compile all that is listed."""
    for source, target, shown, level in json.load(sys.stdin):
        text = Path(source).read_bytes()
        tree = Undocumented().visit(ast.parse(text, shown))
        code = compile(tree, shown, "exec", dont_inherit=True, optimize=level)
        Path(target).write_bytes(header(text) + marshal.dumps(code))


def header(source: bytes) -> bytes:
    """What stands before the code."""
    flags = UNCHECKED_HASH.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)


class Undocumented(ast.NodeTransformer):
    """Takes the docstrings out of a module."""

    def visit(self, node: ast.AST) -> Any:
        """Whatever has a body may begin with one."""
        self.generic_visit(node)
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text, *rest = node.body
            node.body = rest or [ast.copy_location(ast.Pass(), text)]
        return node


if __name__ == "__main__":
    main()
