# SPDX-License-Identifier: Apache-2.0
"""Files for later kernels of the installed system; the tests of the helper cover the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ignition.bootloader import files
from ignition.bootloader.arguments import ArgumentRequest
from ignition.host.root import Root
from tests.bootloader.test_grub import line_after


def later(root: Path, request: ArgumentRequest) -> dict[str, str]:
    edits = files.edits_for_later_kernels(Root(str(root)), request)
    files.write(Root(str(root)), edits)
    assert not any(edit.changes for edit in files.edits_for_later_kernels(Root(str(root)), request))
    return {edit.path: edit.new.decode() for edit in edits if edit.changes}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ro quiet\n", "ro nosmt\n"),
        ("ro quiet", "ro nosmt\n"),
        ("# quiet\nro\nquiet x\n", "# quiet\nro\nx nosmt\n"),
        ("", "nosmt\n"),
    ],
)
def test_kernel_install_line_is_changed(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "etc/kernel").mkdir(parents=True)
    (tmp_path / "etc/kernel/cmdline").write_text(old)
    assert later(tmp_path, ArgumentRequest(("nosmt",), ("quiet",))) == {"/etc/kernel/cmdline": new}


def test_system_without_either_file_is_unchanged(tmp_path: Path) -> None:
    assert later(tmp_path, ArgumentRequest(("nosmt",), ("quiet",))) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_commands("sh")
@pytest.mark.parametrize(
    ("linux", "default", "should", "should_not", "expected"),
    [
        ("", "quiet splash", ("nosmt",), ("quiet",), (" nosmt", "splash")),
        ("quiet ro", "quiet", (), ("quiet",), ("ro", "")),
        ("a quiet quiet b", "", (), ("quiet",), ("a b", "")),
        ("a nosmt", "x", ("nosmt", "x"), (), ("a nosmt", "x")),
        ("quiet=1", "", (), ("quiet",), ("quiet=1", "")),
        ("a *", "", ("c",), ("?",), ("a * c", "")),
        ("$ignition_firstboot", "", ("d",), (), ("$ignition_firstboot d", "")),
        ("", "", ('f="a b"', "u=x&y"), (), (" f=\"a b\" 'u=x&y'", "")),
        ("", "a b c", (), ("b c", ""), ("", "a")),
    ],
)
def test_drop_in_changes_variables_of_grub_mkconfig(
    tmp_path: Path,
    linux: str,
    default: str,
    should: tuple[str, ...],
    should_not: tuple[str, ...],
    expected: tuple[str, str],
) -> None:
    (tmp_path / "etc/default/grub.d").mkdir(parents=True)
    assert list(later(tmp_path, ArgumentRequest(should, should_not))) == [
        "/etc/default/grub.d/zz-ignition.cfg"
    ]
    script = (
        'set -eu; GRUB_CMDLINE_LINUX=$1 GRUB_CMDLINE_LINUX_DEFAULT=$2; . "$3"; . "$3"\n'
        'printf "%s\\n" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"'
    )
    drop_in = tmp_path / "etc/default/grub.d/zz-ignition.cfg"
    ran = subprocess.run(
        ["sh", "-c", script, "sh", linux, default, drop_in], check=True, capture_output=True, text=True
    )
    assert tuple(ran.stdout.split("\n")[:2]) == expected
    # The resulting line of grub-mkconfig needs no further change.
    line = f"linux /v {expected[0]} {expected[1]}".replace("$", "")
    assert line_after(line, ArgumentRequest(should, should_not)) == line
