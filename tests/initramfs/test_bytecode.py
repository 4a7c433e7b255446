# SPDX-License-Identifier: Apache-2.0
"""Byte code of the packed tree: the behaviour of the sources, without their docstrings."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ignition
from ignition.initramfs import bytecode

SOURCE = '''"""Of the module."""

def first(value: str) -> None:
    pass

plain = first.__annotations__["value"]
TEXT = "kept"

class Empty(Exception):
    """Nothing but a text."""

class Full:
    """Of the class."""
    name = "full"

    def method(self) -> str:
        """Of the method."""
        return "kept too"

async def later():
    """Nothing but a text."""

def check(value):
    assert value, "checked"
    "no docstring"
    return TEXT
'''


LOAD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import shown
try:
    said = shown.check(0)
except AssertionError as error:
    said = str(error)
texts = shown.__doc__, shown.Empty.__doc__, shown.Full.__doc__
code = shown.check.__code__
place = code.co_filename, code.co_firstlineno
print(json.dumps([*texts, shown.Full().method(), shown.check(1), said, *place, shown.plain is str]))
"""


def documented(text: str) -> list[ast.AST]:
    nodes = ast.walk(bytecode.DocstringRemover().visit(ast.parse(text)))
    return [each for each in nodes if isinstance(each, bytecode.DOCUMENTED) and ast.get_docstring(each)]


def compiled(directory: Path, level: int) -> dict[str, Any]:
    """Compile SOURCE, load the result in a child interpreter, and return facts about it."""
    (directory / "source.py").write_text(SOURCE)
    work = [[str(directory / "source.py"), str(directory / "shown.pyc"), "shown.py", level]]
    subprocess.run([sys.executable, "-I", bytecode.__file__], input=json.dumps(work), text=True, check=True)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, directory], stdout=subprocess.PIPE, text=True, check=True
    )
    names = ("module", "empty", "full", "method", "value", "assertion", "file", "line", "annotations")
    return dict(zip(names, json.loads(ran.stdout), strict=True))


@pytest.mark.real_commands
@pytest.mark.parametrize(("level", "assertion"), [(0, "checked"), (1, "kept")])
def test_compiled_module_behaves_the_same_without_docstrings(
    tmp_path: Path, level: int, assertion: str
) -> None:
    assert compiled(tmp_path, level) == {
        "module": None,
        "empty": None,
        "full": None,
        "method": "kept too",
        "value": "kept",
        "assertion": assertion,
        "file": "shown.py",
        "line": 23,
        "annotations": True,
    }


def test_header_marks_byte_code_as_unchecked(tmp_path: Path) -> None:
    head = bytecode.header(SOURCE.encode())
    assert (len(head), head[4:8]) == (16, b"\x01\0\0\0")


def test_remover_leaves_no_docstring_in_engine() -> None:
    top = Path(str(ignition.__file__)).parent
    sources = [Path(name) / file for name, _, files in os.walk(top) for file in files if file.endswith(".py")]
    assert len(sources) > 50
    assert not [source for source in sources if documented(source.read_text("utf-8"))]
