"""The engine in the initramfs: what ends the build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_commands("bash")

MODULE = Path(__file__).parents[2] / "dracut/30ignition/module-setup.sh"


def test_an_interpreter_without_the_engine_ends_it_and_the_way_out_is_named() -> None:
    script = f'dfatal() {{ echo "$*" >&2; }}; initdir=/nowhere; . {MODULE}; ignition_install_runtime; echo on'
    done = subprocess.run(
        ["/bin/bash", "-uc", script],
        env={"IGNITION_PYTHON": "/bin/false", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "/bin/false could not collect the engine" in done.stderr
    assert "IGNITION_PYTHON names an interpreter" in done.stderr
