# SPDX-License-Identifier: Apache-2.0
"""The layers of docs/architecture.md, and the import contracts that enforce them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def check_imports(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"], cwd=project, capture_output=True, text=True, check=False
    )


@pytest.mark.real_commands("lint-imports")
def test_import_contracts_are_kept() -> None:
    checked = check_imports(PROJECT)
    assert checked.returncode == 0, checked.stdout


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components with more than one module (Tarjan's algorithm)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in sorted(imports[module]):
            if other not in numbers:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], numbers[other])
        if lowest[module] == numbers[module]:
            start = stack.index(module)
            component, stack[start:] = stack[start:], []
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(imports):
        if module not in numbers:
            visit(module)
    return found


def test_cycles_finds_modules_that_import_each_other() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]


def test_imports_have_no_cycle() -> None:
    """Imports inside functions and under TYPE_CHECKING count."""
    graph = grimp.build_graph("ignition", exclude_type_checking_imports=False, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert cycles(imports) == []


def test_every_package_is_listed_in_the_layers() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    (layers,) = (c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    listed = {package.strip() for layer in layers for package in layer.split("|")}
    packages = {
        f"ignition.{entry.stem}"
        for entry in (PROJECT / "ignition").iterdir()
        if entry.suffix == ".py" or (entry / "__init__.py").exists()
    } - {"ignition.__init__", "ignition.__main__"}
    assert packages == listed


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project that tests may change."""
    for part in ("ignition", "schemas", "providers"):
        shutil.copytree(PROJECT / part, tmp_path / part, symlinks=True)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.real_commands("lint-imports")
@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("ignition/diagnostics.py", "import ignition.cli", "arrows only point down"),
        ("ignition/tools/__init__.py", "import ignition.resource", "arrows only point down"),
        ("ignition/log.py", "import subprocess", "one subprocess call"),
        ("ignition/config/parse.py", "import pydantic", "pydantic off the boot path"),
    ],
)
def test_forbidden_import_breaks_a_contract(copy: Path, module: str, line: str, broken: str) -> None:
    with (copy / module).open("a") as file:
        file.write(f"\n{line}\n")
    checked = check_imports(copy)
    assert checked.returncode == 1
    assert any(broken in row and "BROKEN" in row for row in checked.stdout.splitlines()), checked.stdout
