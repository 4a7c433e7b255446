"""The public API: all names are there, typed, and cost nothing until they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ignition

SOURCE = Path(ignition.__file__).read_text()


@pytest.mark.parametrize("name", ignition.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(ignition, name).__doc__


def test_type_checkers_see_what_is_there_at_run_time() -> None:
    (block, _) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: f"{node.module.removeprefix('ignition.')}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert seen == ignition._HOMES
    assert sorted(seen) == sorted(ignition.__all__)


def test_the_names_are_listed() -> None:
    assert set(ignition.__all__) <= set(dir(ignition))


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'ignition' has no attribute 'loads'"):
        _ = ignition.loads  # type: ignore[attr-defined]


@pytest.mark.real_commands
def test_importing_the_package_imports_nothing_else() -> None:
    script = "import sys; before = set(sys.modules); import ignition; print(*set(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    own = {name for name in ran.stdout.split() if name.startswith("ignition")}
    assert own == {"ignition"}
    assert not {"pydantic", "json", "dataclasses"} & set(ran.stdout.split())


def test_a_name_is_imported_once() -> None:
    assert ignition.parse is ignition.parse
    assert "parse" in vars(ignition)


@pytest.mark.real_commands
def test_a_caller_is_type_checked(tmp_path: Path) -> None:
    caller = tmp_path / "caller.py"
    caller.write_text(
        "import ignition\n"
        "parsed = ignition.parse(b'')\n"
        "reveal_type(parsed.config.storage.files[0].mode)\n"
        "reveal_type(ignition.dump(parsed.config, version='3.0.0'))\n"
        "ignition.dump(parsed.config, version='2.0.0')\n"
        "ignition.loads\n"
    )
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        f"--cache-dir={tmp_path}",
        "caller.py",
    ]
    checkout = {"MYPYPATH": str(Path(ignition.__file__).parents[1])}
    ran = subprocess.run(mypy, cwd=tmp_path, env=checkout, capture_output=True, text=True, check=False)
    noted = [line.partition(": ")[2] for line in ran.stdout.splitlines() if line.startswith("caller.py")]
    assert noted[0] == 'note: Revealed type is "int | None"'
    assert noted[1] == 'note: Revealed type is "bytes"'
    assert 'Argument "version" to "dump"' in noted[2]
    assert 'Module has no attribute "loads"' in noted[3]
