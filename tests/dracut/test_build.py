"""`dracut/build.sh`: our module whatever is installed, and no image that is not whole."""

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
    """The system's dracut, with somebody else's module of our name."""
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


def test_the_module_is_this_checkout_s_and_all_others_are_the_system_s(
    system: Path, programs: Programs
) -> None:
    programs.add("dracut", script=MODULES)
    done = build(system, programs, str(system.parent / "image"), "6.1")
    assert done.stdout.splitlines() == [
        "00systemd",
        "30ignition",
        "99base",
        str(PROJECT / "dracut/30ignition"),
    ]


def test_arguments_are_handed_on(system: Path, programs: Programs) -> None:
    programs.add("dracut")
    image = str(system.parent / "image")
    build(system, programs, image, "6.1", "--kmoddir", "/k", "--compress=zstd -3")
    (argv,) = [argv for argv in programs.argvs if argv[0] == "dracut"]
    assert argv[-5:] == ("--kmoddir", "/k", "--compress=zstd -3", image, "6.1")
    assert {"--no-hostonly", "--add", "ignition"} <= set(argv)


def test_an_image_without_the_module_is_a_failure(system: Path, programs: Programs) -> None:
    image = system.parent / "image"
    programs.add("dracut", script=f"echo image > {image}")
    programs.add("lsinitrd")
    done = build(system, programs, str(image), "6.1")
    assert done.returncode != 0
    assert "does not contain the dracut module ignition" in done.stderr


def test_a_failed_build_leaves_no_older_image(system: Path, programs: Programs) -> None:
    image = system.parent / "image"
    image.write_text("of yesterday")
    programs.add("dracut", status=1)
    assert build(system, programs, str(image), "6.1").returncode != 0
    assert not image.exists()


def test_nothing_is_left_behind(system: Path, programs: Programs) -> None:
    programs.add("dracut", status=1)
    build(system, programs, str(system.parent / "image"), "6.1")
    assert sorted(os.listdir(system.parent)) == ["dracut", "programs"]


def test_too_few_arguments_are_a_usage_error(system: Path, programs: Programs) -> None:
    assert build(system, programs, "image").returncode == 2
