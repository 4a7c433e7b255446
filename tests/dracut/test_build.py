# SPDX-License-Identifier: Apache-2.0
"""`dracut/build.sh`: builds with the module of the checkout, and leaves no incomplete image."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.programs import Programs

pytestmark = pytest.mark.real_commands("build.sh")

PROJECT = Path(__file__).parents[2]

MODULES = "ls $dracutbasedir/modules.d; readlink $dracutbasedir/modules.d/30ignition"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A dracut installation with a module "ignition" of another package."""
    modules = tmp_path / "dracut/modules.d"
    for name in ("00systemd", "30ignition", "99base"):
        (modules / name).mkdir(parents=True)
    (tmp_path / "dracut/dracut-init.sh").touch()
    (tmp_path / "dracut/dracut.conf.d").mkdir()
    return tmp_path / "dracut"


def build(system: Path, programs: Programs, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{programs.directory}:/usr/bin:/bin",
        "DRACUT_BASE": str(system),
        "IGNITION_PYTHON": sys.executable,
        "TMPDIR": str(system.parent),
    }
    command = [str(PROJECT / "dracut/build.sh"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_build_uses_module_of_checkout_and_other_modules_of_system(system: Path, programs: Programs) -> None:
    programs.add("dracut", script=MODULES)
    done = build(system, programs, str(system.parent / "image"), "6.1")
    assert done.stdout.splitlines() == [
        "00systemd",
        "30ignition",
        "99base",
        str(PROJECT / "dracut/30ignition"),
    ]


def test_build_passes_arguments_to_dracut(system: Path, programs: Programs) -> None:
    programs.add("dracut")
    image = str(system.parent / "image")
    build(system, programs, image, "6.1", "--kmoddir", "/k", "--compress=zstd -3")
    (argv,) = [argv for argv in programs.argvs if argv[0] == "dracut"]
    assert argv[-5:] == ("--kmoddir", "/k", "--compress=zstd -3", image, "6.1")
    assert {"--no-hostonly", "--add", "ignition"} <= set(argv)


def test_build_image_without_module_is_error(system: Path, programs: Programs) -> None:
    image = system.parent / "image"
    programs.add("dracut", script=f"echo image > {image}")
    programs.add("lsinitrd")
    done = build(system, programs, str(image), "6.1")
    assert done.returncode != 0
    assert 'does not contain the dracut module "ignition"' in done.stderr


def test_build_failure_removes_older_image(system: Path, programs: Programs) -> None:
    image = system.parent / "image"
    image.write_text("of yesterday")
    programs.add("dracut", status=1)
    assert build(system, programs, str(image), "6.1").returncode != 0
    assert not image.exists()


def test_build_removes_its_temporary_directory(system: Path, programs: Programs) -> None:
    programs.add("dracut", status=1)
    build(system, programs, str(system.parent / "image"), "6.1")
    assert sorted(os.listdir(system.parent)) == ["dracut", "programs"]


def test_build_without_kernel_version_is_usage_error(system: Path, programs: Programs) -> None:
    assert build(system, programs, "image").returncode == 2
