"""Bare metal has nothing to say."""

from __future__ import annotations

from ignition.providers.metal import PROVIDER

from .conftest import Machine


def test_there_is_no_config_and_nothing_is_touched(machine: Machine) -> None:
    assert PROVIDER.fetch(machine.platform) == b""
    assert machine.run.commands == []
    assert machine.fetch.asked == []
