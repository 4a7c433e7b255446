"""`user.ign` in the system directories."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError, NoProvider
from ignition.providers.system import PROVIDER

from .conftest import Machine

DIRECTORIES = ("/run/ignition", "/etc/ignition", "/usr/lib/ignition")


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_each_directory_is_looked_into(machine: Machine, directory: str) -> None:
    machine.write(f"{directory}/user.ign", "{}")
    assert PROVIDER.fetch(machine.platform) == b"{}"


def test_the_most_important_directory_wins(machine: Machine) -> None:
    for directory in DIRECTORIES:
        machine.write(f"{directory}/user.ign", directory)
    assert PROVIDER.fetch(machine.platform) == b"/run/ignition"


def test_an_empty_file_is_an_answer(machine: Machine) -> None:
    machine.write("/etc/ignition/user.ign", "")
    machine.write("/usr/lib/ignition/user.ign", "{}")
    assert PROVIDER.fetch(machine.platform) == b""


def test_without_a_file_the_next_source_is_asked(machine: Machine) -> None:
    with pytest.raises(NoProvider):
        PROVIDER.fetch(machine.platform)


def test_a_directory_of_that_name_is_an_error(machine: Machine) -> None:
    (machine.system / "etc/ignition/user.ign").mkdir(parents=True)
    with pytest.raises(IgnitionError, match=r"couldn't read /etc/ignition/user\.ign: Is a directory"):
        PROVIDER.fetch(machine.platform)


def test_the_directories_can_be_moved(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNITION_SYSTEM_LOCAL_CONFIG_DIR", "/elsewhere")
    machine.write("/elsewhere/user.ign", "{}")
    assert PROVIDER.fetch(machine.platform) == b"{}"
