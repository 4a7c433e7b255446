# SPDX-License-Identifier: Apache-2.0
"""The public API: names, types, and imports on first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ignition

SOURCE = Path(ignition.__file__).read_text()


@pytest.mark.parametrize("name", ignition.__all__)
def test_public_name_exists_and_has_docstring(name: str) -> None:
    assert getattr(ignition, name).__doc__


def test_names_for_type_checkers_match_run_time() -> None:
    (block, _) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: f"{node.module.removeprefix('ignition.')}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert seen == ignition._PLACES
    assert sorted(seen) == sorted(ignition.__all__)


def test_dir_lists_public_names() -> None:
    assert set(ignition.__all__) <= set(dir(ignition))


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ignition' has no attribute 'loads'"):
        _ = ignition.loads  # type: ignore[attr-defined]


@pytest.mark.real_commands
def test_import_of_package_imports_no_other_module() -> None:
    script = "import sys; before = set(sys.modules); import ignition; print(*set(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    own = {name for name in ran.stdout.split() if name.startswith("ignition")}
    assert own == {"ignition"}
    assert not {"pydantic", "json", "dataclasses"} & set(ran.stdout.split())


def test_name_is_cached_after_first_use() -> None:
    assert ignition.parse is ignition.parse
    assert "parse" in vars(ignition)


@pytest.mark.real_commands
def test_mypy_checks_callers(tmp_path: Path) -> None:
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
