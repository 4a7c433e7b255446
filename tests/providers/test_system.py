# SPDX-License-Identifier: Apache-2.0
"""`user.ign` in the system directories."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError, NoProvider
from ignition.providers.system import PROVIDER

from .conftest import Machine

DIRECTORIES = ("/run/ignition", "/etc/ignition", "/usr/lib/ignition")


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_each_directory_is_searched(machine: Machine, directory: str) -> None:
    machine.write(f"{directory}/user.ign", "{}")
    assert PROVIDER.fetch(machine.platform) == b"{}"


def test_directory_of_highest_priority_wins(machine: Machine) -> None:
    for directory in DIRECTORIES:
        machine.write(f"{directory}/user.ign", directory)
    assert PROVIDER.fetch(machine.platform) == b"/run/ignition"


def test_empty_user_ign_is_no_config(machine: Machine) -> None:
    machine.write("/etc/ignition/user.ign", "")
    machine.write("/usr/lib/ignition/user.ign", "{}")
    assert PROVIDER.fetch(machine.platform) == b""


def test_missing_user_ign_raises_no_provider(machine: Machine) -> None:
    with pytest.raises(NoProvider):
        PROVIDER.fetch(machine.platform)


def test_directory_named_user_ign_is_an_error(machine: Machine) -> None:
    (machine.system / "etc/ignition/user.ign").mkdir(parents=True)
    with pytest.raises(IgnitionError, match=r"cannot read /etc/ignition/user\.ign: is a directory"):
        PROVIDER.fetch(machine.platform)


def test_directories_are_configurable(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNITION_SYSTEM_LOCAL_CONFIG_DIR", "/elsewhere")
    machine.write("/elsewhere/user.ign", "{}")
    assert PROVIDER.fetch(machine.platform) == b"{}"
