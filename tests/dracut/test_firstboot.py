# SPDX-License-Identifier: Apache-2.0
"""Removal of the first-boot stamp, on any filesystem that may hold it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.programs import Programs

pytestmark = pytest.mark.real_commands("sh")

HOST = Path(__file__).parents[2] / "dracut/host"


def clear(root: Path, programs: Programs) -> int:
    environment = {"PATH": f"{programs.directory}:/usr/bin:/bin", "IGNITION_STAMP_ROOT": str(root)}
    script = HOST / "ignition-firstboot-complete.sh"
    return subprocess.run(["sh", str(script)], env=environment, capture_output=True, check=False).returncode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "boot").mkdir(parents=True)
    return root


@pytest.mark.parametrize("stamp", ["boot/ignition.firstboot", "ignition.firstboot"])
def test_stamp_is_removed_and_filesystem_synced(root: Path, programs: Programs, stamp: str) -> None:
    programs.add("sync")
    (root / stamp).touch()
    assert clear(root, programs) == 0
    assert not (root / stamp).exists()
    assert [argv[:2] for argv in programs.argvs] == [("sync", "--file-system")]


def test_no_stamp_runs_no_program(root: Path, programs: Programs) -> None:
    for name in ("mount", "rm", "sync"):
        programs.add(name)
    assert clear(root, programs) == 0
    assert programs.calls == []


@pytest.mark.real_commands("sh", "mount", "umount")
def test_stamp_on_read_only_filesystem_is_removed_after_remount(root: Path, programs: Programs) -> None:
    boot = root / "boot"
    subprocess.run(["mount", "-t", "tmpfs", "none", str(boot)], check=True)
    try:
        (boot / "ignition.firstboot").touch()
        subprocess.run(["mount", "-o", "remount,ro", str(boot)], check=True)
        assert clear(root, programs) == 0
        assert not (boot / "ignition.firstboot").exists()
    finally:
        subprocess.run(["umount", str(boot)], check=True)


def test_stamp_that_cannot_be_removed_is_failure(root: Path, programs: Programs) -> None:
    programs.add("rm", status=1)
    (root / "ignition.firstboot").touch()
    assert clear(root, programs) != 0
    assert (root / "ignition.firstboot").exists()


def test_grub_snippet_looks_for_the_same_stamps() -> None:
    snippet = (HOST / "05_ignition.cfg").read_text()
    for stamp in ("/ignition.firstboot", "/boot/ignition.firstboot"):
        assert stamp in snippet
    assert 'set ignition_firstboot="ignition.firstboot ${ignition_network_kcmdline}"' in snippet
    # grub-mkconfig must not expand the variable; GRUB expands it at boot.
    assert "\\$ignition_firstboot" in (HOST / "grub-default.cfg").read_text()
