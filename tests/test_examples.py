# SPDX-License-Identifier: Apache-2.0
"""The examples are valid, and their hashes match the files that they fetch."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
CONFIGS = sorted(EXAMPLES.glob("*.ign"))


def resources(part: object) -> list[dict[str, Any]]:
    """Return each part of a config that has a source."""
    if isinstance(part, list):
        return [found for each in part for found in resources(each)]
    if isinstance(part, dict):
        return ([part] if "source" in part else []) + resources(list(part.values()))
    return []


def test_demo_example_exists() -> None:
    assert EXAMPLES / "demo.ign" in CONFIGS


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
@pytest.mark.real_commands("ignition-validate")
def test_reference_accepts_example(config: Path) -> None:
    checked = subprocess.run(["ignition-validate", config], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_example_hashes_match_files_of_the_lab(config: Path) -> None:
    for resource in resources(json.loads(config.read_text())):
        if resource["source"].startswith("http://10.0.2.100/"):
            page = EXAMPLES / config.stem / resource["source"].rpartition("/")[2]
            assert (
                resource["verification"]["hash"] == f"sha512-{hashlib.sha512(page.read_bytes()).hexdigest()}"
            )
