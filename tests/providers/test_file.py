# SPDX-License-Identifier: Apache-2.0
"""The file platform: the config from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.providers.file import PROVIDER

from .conftest import Machine


def test_variable_names_the_file(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "x.ign").write_bytes(b"{}")
    machine.environment["IGNITION_CONFIG_FILE"] = str(tmp_path / "x.ign")
    assert PROVIDER.fetch(machine.platform) == b"{}"


def test_config_ign_is_read_without_variable(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.ign").write_bytes(b"here")
    machine.environment["IGNITION_CONFIG_FILE"] = ""
    assert PROVIDER.fetch(machine.platform) == b"here"


def test_missing_file_hints_at_variable(machine: Machine, tmp_path: Path) -> None:
    machine.environment["IGNITION_CONFIG_FILE"] = str(tmp_path / "none")
    with pytest.raises(IgnitionError, match=r"cannot read the config .*no such file") as caught:
        PROVIDER.fetch(machine.platform)
    assert "IGNITION_CONFIG_FILE" in caught.value.hint
