# SPDX-License-Identifier: Apache-2.0
"""The settings of the linters, which refuse code that the project does not allow."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
RUFF = Path(sys.executable).with_name("ruff")


def findings(code: str, where: str) -> set[str]:
    """Return the codes of ruff's findings for `code` in a file `where`."""
    checked = subprocess.run(
        [RUFF, "check", "--no-cache", "--output-format=concise", f"--stdin-filename={where}", "-"],
        cwd=PROJECT,
        input=f'"""A module."""\n\nfrom __future__ import annotations\n\n{code}\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode in (0, 1), checked.stderr
    rows = (line.split() for line in checked.stdout.splitlines())
    return {row[1] for row in rows if len(row) > 1 and row[0].startswith(where)}


@pytest.mark.real_commands("ruff")
@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import providers", "TID251"),
        ("from schemas import config", "TID251"),
        ("try:\n    x = 1\nexcept:\n    x = 2", "E722"),
        ("try:\n    x = 1\nexcept Exception:\n    x = 2", "BLE001"),
        ('import os\n\nos.system("true")', "S605"),
        ("def f(a: int) -> int:\n    return 1", "ARG001"),
        ("x = eval('1')", "S307"),
        ("x = 1  # noqa", "PGH004"),
        ("x: int = 'a'  # type: ignore", "PGH003"),
    ],
)
def test_ruff_refuses_code(code: str, rule: str) -> None:
    assert rule in findings(code, "ignition/anything.py")


@pytest.mark.real_commands("ruff")
def test_ruff_allows_asserts_without_docstrings_in_tests() -> None:
    assert findings("\ndef test_it() -> None:\n    assert 1 + 1 == 2", "tests/test_anything.py") == set()


def test_mypy_is_strict_and_warnings_are_errors() -> None:
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    assert tools["mypy"]["strict"] is True
    assert {"ignition", "tests"} <= set(tools["mypy"]["files"])
    assert tools["pytest"]["ini_options"]["filterwarnings"][0] == "error"


def shell_scripts() -> list[Path]:
    """List the project's shell scripts, by their first lines."""
    found = []
    for part in (".ci", "dracut", "examples", "tests"):
        for path in sorted((PROJECT / part).rglob("*")):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                first = path.read_bytes().split(b"\n", 1)[0]
                if first.startswith(b"#!") and first.rstrip().endswith(b"sh"):
                    found.append(path)
    return found


@pytest.mark.real_commands("shellcheck")
def test_shellcheck_passes_for_every_script() -> None:
    scripts = shell_scripts()
    assert PROJECT / "tests/lab/setup.sh" in scripts
    checked = subprocess.run(
        ["shellcheck", "--exclude=SC1091", *scripts], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
