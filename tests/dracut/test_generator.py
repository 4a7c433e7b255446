# SPDX-License-Identifier: Apache-2.0
"""The generator: the target that it enables, and the platform id that it writes for the units."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.programs import Programs

pytestmark = pytest.mark.real_commands("sh")

GENERATOR = Path(__file__).parents[2] / "dracut/30ignition/ignition-generator"

FIRST = {
    "initrd.target.requires/ignition-complete.target",
    "ignition-complete.target.requires/ignition-diskful.target",
}
LATER = {
    "initrd.target.requires/ignition-subsequent.target",
    "ignition-subsequent.target.requires/ignition-diskful-subsequent.target",
}


@dataclass
class Generated:
    """Result of one run of the generator."""

    links: set[str]
    environment: str


def generate(tmp_path: Path, command_line: str) -> Generated:
    cmdline, env, units = (tmp_path / name for name in ("cmdline", "ignition.env", "units"))
    cmdline.write_text(command_line)
    environment = {
        "IGNITION_KERNEL_CMDLINE_PATH": str(cmdline),
        "IGNITION_ENV_PATH": str(env),
        "PATH": f"{tmp_path}/programs/bin:/usr/bin:/bin",
    }
    # With a file in the working directory, an expanded `*` would change the result.
    (tmp_path / "a-file").touch()
    arguments = ["sh", str(GENERATOR), str(units), str(units), str(units)]
    done = subprocess.run(
        arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    links = {str(path.relative_to(units)) for path in units.rglob("*") if path.is_symlink()}
    return Generated(links, env.read_text())


@pytest.mark.parametrize(
    ("command_line", "links"),
    [
        ("ignition.firstboot", FIRST),
        ("quiet ignition.firstboot ro\n", FIRST),
        ("ignition.firstboot=1", FIRST),
        ("ignition.firstboot=yes", FIRST),
        ("ignition.firstboot=detected", FIRST),
        ("ignition.firstboot=0", LATER),
        ("ignition.firstboot=no", LATER),
        ("ignition.firstboot=off", LATER),
        ("ignition.firstboot=", LATER),
        ("ignition.firstboot=0 ignition.firstboot", FIRST),
        ("ignition.firstboot ignition.firstboot=off", LATER),
        ("xignition.firstboot ignition.firstboots=1", LATER),
        ("", LATER),
    ],
)
def test_generator_links_target_by_firstboot_argument(
    tmp_path: Path, command_line: str, links: set[str]
) -> None:
    assert generate(tmp_path, command_line).links == links


@pytest.mark.parametrize(
    ("command_line", "platform"),
    [
        ("ignition.platform.id=qemu ignition.firstboot", "qemu"),
        ("ignition.platform.id=aws ignition.platform.id=metal", "metal"),
        ("ignition.platform.id=", ""),
        ("ignition.firstboot", ""),
        ("a\tb\nignition.platform.id=qemu", "qemu"),
        ("ignition.platform.id=*", "*"),
    ],
)
def test_generator_writes_last_platform_id(tmp_path: Path, command_line: str, platform: str) -> None:
    assert generate(tmp_path, command_line).environment == f"PLATFORM_ID={platform}\n"


def test_generator_does_not_expand_globs_of_command_line(tmp_path: Path) -> None:
    # If `*` were expanded, this file name would enable provisioning.
    (tmp_path / "ignition.firstboot").touch()
    assert generate(tmp_path, "* ign*").links == LATER


def test_generator_second_run_changes_nothing(tmp_path: Path) -> None:
    # systemd runs generators at each reload.
    first = generate(tmp_path, "ignition.firstboot ignition.platform.id=qemu")
    assert generate(tmp_path, "ignition.firstboot ignition.platform.id=qemu") == first


@pytest.mark.parametrize(
    ("command_line", "link"),
    [
        ("ignition.firstboot", "initrd.target.requires/ignition-complete.target"),
        ("", "initrd.target.requires/ignition-subsequent.target"),
    ],
)
def test_generator_on_live_system_requires_no_root_filesystem(
    tmp_path: Path, programs: Programs, command_line: str, link: str
) -> None:
    programs.add("is-live-image")
    assert generate(tmp_path, command_line).links == {link}
    programs.add("is-live-image", status=1)
    assert len(generate(tmp_path, command_line).links) == 2
