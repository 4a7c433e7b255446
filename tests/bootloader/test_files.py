"""What later kernels of the installed system get; the rest of `files` is tested with the helper."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ignition.bootloader import files
from ignition.bootloader.arguments import Wish
from ignition.host.root import Root
from tests.bootloader.test_grub import line_after


def later(root: Path, wish: Wish) -> dict[str, str]:
    edits = files.for_later_kernels(Root(str(root)), wish)
    files.write(Root(str(root)), edits)
    assert not any(edit.changes for edit in files.for_later_kernels(Root(str(root)), wish))
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
def test_the_line_of_kernel_install(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "etc/kernel").mkdir(parents=True)
    (tmp_path / "etc/kernel/cmdline").write_text(old)
    assert later(tmp_path, Wish(("nosmt",), ("quiet",))) == {"/etc/kernel/cmdline": new}


def test_a_system_without_either_gets_neither(tmp_path: Path) -> None:
    assert later(tmp_path, Wish(("nosmt",), ("quiet",))) == {}
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
def test_what_grub_mkconfig_makes_of_the_drop_in(
    tmp_path: Path,
    linux: str,
    default: str,
    should: tuple[str, ...],
    should_not: tuple[str, ...],
    expected: tuple[str, str],
) -> None:
    (tmp_path / "etc/default/grub.d").mkdir(parents=True)
    assert list(later(tmp_path, Wish(should, should_not))) == ["/etc/default/grub.d/zz-ignition.cfg"]
    script = (
        'set -eu; GRUB_CMDLINE_LINUX=$1 GRUB_CMDLINE_LINUX_DEFAULT=$2; . "$3"; . "$3"\n'
        'printf "%s\\n" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"'
    )
    drop_in = tmp_path / "etc/default/grub.d/zz-ignition.cfg"
    ran = subprocess.run(
        ["sh", "-c", script, "sh", linux, default, drop_in], check=True, capture_output=True, text=True
    )
    assert tuple(ran.stdout.split("\n")[:2]) == expected
    # The line that grub-mkconfig writes with it needs no change any more.
    line = f"linux /v {expected[0]} {expected[1]}".replace("$", "")
    assert line_after(line, Wish(should, should_not)) == line
