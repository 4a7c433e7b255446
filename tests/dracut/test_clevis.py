"""Clevis in the initramfs: when it goes along, and with what."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.programs import Programs

pytestmark = pytest.mark.real_commands("bash")

MODULE = Path(__file__).parents[2] / "dracut/30ignition/module-setup.sh"

DRACUT = """
    inst_multiple() { printf '%s\\n' "$@"; }
    inst_simple() { echo "${2:-$1}"; }
    inst_libdir_file() { echo "library $*"; }
    instmods() { echo "module $*"; }
    dfatal() { echo "$*" >&2; }
    moddir=/module
"""
"""What dracut gives to modules."""

PROGRAMS = ("clevis-luks-bind", "clevis-encrypt-tpm2", "tpm2")


@pytest.fixture
def building(programs: Programs) -> Programs:
    """A building machine with Clevis and its pin for the TPM."""
    for name in PROGRAMS:
        programs.add(name)
    return programs


def call(programs: Programs, function: str, wanted: str | None = None) -> list[str]:
    environment = {"PATH": str(programs.directory), **({} if wanted is None else {"IGNITION_CLEVIS": wanted})}
    script = f"{DRACUT}\n. {MODULE}\n{function}\n"
    return subprocess.run(
        ["/bin/bash", "-uc", script], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def goes_along(programs: Programs, wanted: str | None) -> bool:
    return call(programs, "! ignition_with_clevis || echo yes", wanted) == ["yes"]


def test_it_goes_along_where_the_building_machine_has_it(building: Programs) -> None:
    assert [goes_along(building, wanted) for wanted in (None, "", "yes", "no")] == [True, True, True, False]


def test_a_machine_without_it_builds_an_image_without_it(programs: Programs) -> None:
    assert [goes_along(programs, wanted) for wanted in (None, "no")] == [False, False]
    assert "module =drivers/char/tpm" not in call(programs, "installkernel")


def test_what_goes_along(building: Programs) -> None:
    installed = call(building, "ignition_install_clevis")
    scripts = {"clevis-luks-bind", "clevis-luks-common-functions", "clevis-luks-unlock", "clevis-decrypt-sss"}
    assert {*scripts, "bash", "jose", "pwmake", "curl", "clevis-encrypt-tang"} <= set(installed)
    assert {"tpm2_create", "tpm2_unseal", "library libtss2-tcti-device.so*"} <= set(installed)
    assert "/etc/security/pwquality.conf.d/ignition-luks.conf" in installed
    assert "module =drivers/char/tpm" in call(building, "installkernel")


def test_without_its_pin_the_tpm_stays_at_home(building: Programs) -> None:
    (building.directory / "clevis-encrypt-tpm2").unlink()
    installed = call(building, "ignition_install_clevis")
    assert "jose" in installed
    assert not any("tpm2" in name or "tss2" in name for name in installed)
    assert "module =drivers/char/tpm" not in call(building, "installkernel")
