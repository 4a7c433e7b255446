# SPDX-License-Identifier: Apache-2.0
"""Codes of report entries: each has an explanation whose examples are correct."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.config.codes import Code, codes
from ignition.config.verdict import judge

PROJECT = Path(__file__).parents[2]
CODES = list(codes().values())


def first_word_arguments(tree: ast.AST) -> Iterator[str]:
    """Yield the codes in `error("code", …)`, `warning("code", …)` and `code="code"`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in {"error", "warning"} and node.args:
                yield from texts(node.args[0])
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from texts(keyword.value)


def faults(tree: ast.AST) -> Iterator[str]:
    """Yield the first elements of the tuples that functions returning `Fault` return."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns and "Fault" in ast.unparse(node.returns):
            for statement in ast.walk(node):
                if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
                    yield from texts(statement.value.elts[0])


def texts(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value


def used_codes() -> set[str]:
    found = {"newer-key", "unused-key", "spec-version"}  # set by expressions that the search does not see
    for folder in ("schemas", "ignition/config"):
        for file in (PROJECT / folder).rglob("*.py"):
            tree = ast.parse(file.read_text())
            found |= {*first_word_arguments(tree), *faults(tree)}
    return found


def test_used_codes_are_exactly_the_explained_codes() -> None:
    assert used_codes() == set(codes())


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_explanation_is_complete(code: Code) -> None:
    assert code.title
    assert not code.title.endswith(".")
    assert code.cause.endswith(".")
    assert code.remedy.endswith(".")
    assert (code.right is None) == (code.wrong is None)


@pytest.mark.parametrize(
    "code", [code for code in CODES if code.wrong is not None], ids=lambda code: code.name
)
def test_wrong_example_yields_the_code(code: Code) -> None:
    assert code.wrong is not None
    entries = [finding.entry for finding in judge(code.document(code.wrong).encode(), "wrong.ign").findings]
    assert {entry.severity for entry in entries if entry.code == code.name} == {code.severity}


@pytest.mark.parametrize(
    "code", [code for code in CODES if code.right is not None], ids=lambda code: code.name
)
def test_right_example_yields_no_finding(code: Code) -> None:
    assert code.right is not None
    assert judge(code.document(code.right).encode(), "right.ign").findings == ()
