# SPDX-License-Identifier: Apache-2.0
"""The metal platform, which has no config."""

from __future__ import annotations

from ignition.providers.metal import PROVIDER

from .conftest import Machine


def test_metal_returns_no_config(machine: Machine) -> None:
    assert PROVIDER.fetch(machine.platform) == b""
    assert machine.run.commands == []
    assert machine.fetch.asked == []
