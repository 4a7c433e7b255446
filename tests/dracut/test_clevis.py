# SPDX-License-Identifier: Apache-2.0
"""Clevis in the initramfs: when it is included, and with which files."""

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
"""Doubles of the functions that dracut provides to modules."""

PROGRAMS = ("clevis-luks-bind", "clevis-encrypt-tpm2", "tpm2")


@pytest.fixture
def build_host(programs: Programs) -> Programs:
    """A build host with Clevis and its TPM pin."""
    for name in PROGRAMS:
        programs.add(name)
    return programs


def call(programs: Programs, function: str, wanted: str | None = None) -> list[str]:
    environment = {"PATH": str(programs.directory), **({} if wanted is None else {"IGNITION_CLEVIS": wanted})}
    script = f"{DRACUT}\n. {MODULE}\n{function}\n"
    return subprocess.run(
        ["/bin/bash", "-uc", script], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def is_included(programs: Programs, wanted: str | None) -> bool:
    return call(programs, "! ignition_with_clevis || echo yes", wanted) == ["yes"]


def test_clevis_installed_on_build_host_is_included_unless_disabled(build_host: Programs) -> None:
    assert [is_included(build_host, wanted) for wanted in (None, "", "yes", "no")] == [
        True,
        True,
        True,
        False,
    ]


def test_clevis_not_installed_on_build_host_is_left_out(programs: Programs) -> None:
    assert [is_included(programs, wanted) for wanted in (None, "no")] == [False, False]
    assert "module =drivers/char/tpm" not in call(programs, "installkernel")


def test_clevis_is_included_with_programs_pins_and_tpm_modules(build_host: Programs) -> None:
    installed = call(build_host, "ignition_install_clevis")
    scripts = {"clevis-luks-bind", "clevis-luks-common-functions", "clevis-luks-unlock", "clevis-decrypt-sss"}
    assert {*scripts, "bash", "jose", "pwmake", "curl", "clevis-encrypt-tang"} <= set(installed)
    assert {"tpm2_create", "tpm2_unseal", "library libtss2-tcti-device.so*"} <= set(installed)
    assert "/etc/security/pwquality.conf.d/ignition-luks.conf" in installed
    assert "module =drivers/char/tpm" in call(build_host, "installkernel")


def test_clevis_without_tpm_pin_leaves_out_tpm(build_host: Programs) -> None:
    (build_host.directory / "clevis-encrypt-tpm2").unlink()
    installed = call(build_host, "ignition_install_clevis")
    assert "jose" in installed
    assert not any("tpm2" in name or "tss2" in name for name in installed)
    assert "module =drivers/char/tpm" not in call(build_host, "installkernel")
