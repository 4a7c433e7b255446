# SPDX-License-Identifier: Apache-2.0
"""The kernel argument helper in the image, by the settings of the build."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_commands("bash", "sh", "ignition-kargs-helper.sh", "ignition-kargs-helper")

MODULE = Path(__file__).parents[2] / "dracut/30ignition"

INSTALL = """\
set -eu
. "$1/module-setup.sh"
moddir=$1 initdir=$2
inst_script() { mkdir -p "$initdir${2%/*}" && cp "$1" "$initdir$2"; }
ln_r() { ln -s "$initdir$1" "$initdir$2"; }
dfatal() { echo "$*" >&2; }
ignition_require() { :; }
inst_multiple() { :; }
inst_simple() { :; }
ignition_install_programs
"""
"""Run `ignition_install_programs` with doubles of dracut's functions."""


def installed(root: Path, **environment: str) -> Path:
    """Install the helper below `root`; return its path."""
    (root / "usr/bin").mkdir(parents=True)
    engine = root / "usr/bin/ignition"
    engine.write_text('#!/bin/sh\necho "$0: $IGNITION_BOOT_LOADER, $IGNITION_BOOT_DEVICE: $*"\n')
    engine.chmod(0o755)
    subprocess.run(
        ["bash", "-c", INSTALL, "bash", str(MODULE), str(root)],
        env={"PATH": os.environ["PATH"], **environment},
        check=True,
    )
    return root / "usr/sbin/ignition-kargs-helper"


def test_default_helper_fails_and_names_build_variable(tmp_path: Path) -> None:
    ran = subprocess.run([installed(tmp_path), "--should-exist", "a"], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "IGNITION_KARGS_HELPER" in ran.stderr


@pytest.mark.parametrize("loader", ["auto", "grub", "systemd-boot"])
@pytest.mark.parametrize("device", ["", "LABEL=BOOT"])
def test_helper_of_ignition_runs_engine_with_loader_and_device(
    tmp_path: Path, loader: str, device: str
) -> None:
    helper = installed(tmp_path, IGNITION_KARGS_HELPER=loader, IGNITION_BOOT_DEVICE=device)
    script = helper.read_text().replace("/usr/libexec/", f"{tmp_path}/usr/libexec/")
    helper.write_text(script)
    ran = subprocess.run([helper, "--should-exist", "a b"], capture_output=True, text=True, check=True)
    assert ran.stdout == (
        f"{tmp_path}/usr/libexec/ignition-kargs-helper: {loader}, {device}: --should-exist a b\n"
    )


def test_helper_of_distribution_is_installed(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n")
    helper = installed(tmp_path / "root", IGNITION_KARGS_HELPER=str(own))
    assert helper.read_text() == "#!/bin/sh\n"
