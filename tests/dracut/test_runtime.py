# SPDX-License-Identifier: Apache-2.0
"""Packing of the engine by the dracut module: failures that end the build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_commands("bash")

MODULE = Path(__file__).parents[2] / "dracut/30ignition/module-setup.sh"


def test_interpreter_without_engine_ends_build_and_names_variable() -> None:
    script = f'dfatal() {{ echo "$*" >&2; }}; initdir=/nowhere; . {MODULE}; ignition_install_runtime; echo on'
    done = subprocess.run(
        ["/bin/bash", "-uc", script],
        env={"IGNITION_PYTHON": "/bin/false", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot pack the engine with /bin/false" in done.stderr
    assert "set IGNITION_PYTHON to an interpreter" in done.stderr
