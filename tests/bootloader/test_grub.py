# SPDX-License-Identifier: Apache-2.0
"""GRUB's script and environment block: only kernel arguments change, in GRUB's own quoting."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ignition.bootloader import grub
from ignition.bootloader.arguments import ArgumentRequest
from ignition.errors import IgnitionError

REQUEST = ArgumentRequest(("nosmt",), ("quiet",))


def line_after(line: str, request: ArgumentRequest = REQUEST) -> str:
    new = grub.new_config(f"# before\n{line}\n", request)
    assert new.startswith("# before\n")
    assert grub.new_config(new, request) == new
    return new.removeprefix("# before\n").removesuffix("\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "\tlinux\t/boot/vmlinuz-6.1 root=UUID=1 ro  quiet",
            "\tlinux\t/boot/vmlinuz-6.1 root=UUID=1 ro nosmt",
        ),
        ("linux /v", "linux /v nosmt"),
        ("linuxefi /v quiet", "linuxefi /v nosmt"),
        ("linux16 /v quiet", "linux16 /v nosmt"),
        ("linux ($root)/v quiet $extra ${more}", "linux ($root)/v $extra ${more} nosmt"),
        # Lines without kernel arguments.
        ("linux16 /boot/memtest86+.bin quiet", "linux16 /boot/memtest86+.bin quiet"),
        ("# linux /v quiet", "# linux /v quiet"),
        ("linuxrc /v quiet", "linuxrc /v quiet"),
        ("echo 'linux /v quiet'", "echo 'linux /v quiet'"),
        # All kinds of quotes.
        ("linux /v 'quiet' \"quiet\" qu\\iet ro", "linux /v ro nosmt"),
        ("linux /v 'a quiet'", "linux /v 'a quiet' nosmt"),
        ("linux /v no'smt'", "linux /v no'smt'"),
        # The command ends before the line.
        ("linux /v quiet # quiet", "linux /v nosmt # quiet"),
        ("linux /v quiet; initrd /i", "linux /v nosmt; initrd /i"),
        ("linux /v quiet }", "linux /v nosmt }"),
        # Arguments in a variable: added there, removed everywhere.
        ("linux /v quiet $kernelopts", "linux /v $kernelopts"),
        ("linux /v ${kernelopts} quiet", "linux /v ${kernelopts}"),
        ("linux /v $kernelopts2 quiet", "linux /v $kernelopts2 nosmt"),
        # The line of the reference's example, and variants.
        ("kernelopts=root=x ro quiet", "kernelopts=root=x ro nosmt"),
        ('  set kernelopts="root=$root quiet"', '  set kernelopts="root=$root nosmt"'),
        ("set kernelopts='quiet'", "set kernelopts='nosmt'"),
        ("set kernelopts=quiet", 'set kernelopts="nosmt"'),
        ("set kernelopts=ro", 'set kernelopts="ro nosmt"'),
        ("set other=quiet", "set other=quiet"),
    ],
)
def test_new_config_line_table(line: str, expected: str) -> None:
    assert line_after(line) == expected


@pytest.mark.parametrize(
    ("argument", "spelled"),
    [
        ("a=b,c:d/e", "a=b,c:d/e"),
        ('dyndbg="file f +p"', 'dyndbg="file f +p"'),
        ('"a=b c"', '"a=b c"'),
        ("url=http://x/?a&b", "'url=http://x/?a&b'"),
        ("a;b", "'a;b'"),
        ("#a", "'#a'"),
        ("}", "'}'"),
        ("b c", "b c"),
    ],
)
def test_argument_is_quoted_for_scripts(argument: str, spelled: str) -> None:
    assert line_after("linux /v ro", ArgumentRequest((argument,))) == f"linux /v ro {spelled}"


@pytest.mark.parametrize("argument", ['a="b"c"d"', "a'b", "a\\b", "a$b"])
def test_argument_that_grub_cannot_pass_is_refused(argument: str) -> None:
    with pytest.raises(IgnitionError, match="line 2: GRUB cannot pass"):
        line_after("linux /v ro", ArgumentRequest((argument,)))


@pytest.mark.parametrize("argument", ['a="b c"', "a;b", "a&b", "a$b"])
def test_argument_that_a_variable_cannot_hold_is_refused(argument: str) -> None:
    with pytest.raises(IgnitionError, match="variable"):
        line_after('set kernelopts="ro"', ArgumentRequest((argument,)))


@pytest.mark.parametrize(
    "line",
    [
        "linux /v a \\",
        "linux /v 'a",
        'linux /v "a',
        'set kernelopts="a"b""',
        "menuentry 'x' { linux /v quiet; initrd /i; }",
        'if [ "$a" = "b" ]; then linux /v quiet; fi',
    ],
)
def test_unsupported_line_is_an_error_with_its_number(line: str) -> None:
    with pytest.raises(IgnitionError, match="line 2: "):
        line_after(line)


def test_other_lines_stay_unchanged() -> None:
    # Lines end only at line feeds.
    config = (
        'set timeout=5\r\n\nmenuentry "quiet" {\n  linux /v nosmt  ro\n}\n# a\x0clinux /v quiet\n'
        "menuentry '; linux /v' { # then linux /v quiet\n}\nend without a line break"
    )
    assert grub.new_config(config, REQUEST) == config


def test_kernels_finds_commands_in_the_middle_of_a_line() -> None:
    assert grub.kernels("menuentry 'x' { linux /v quiet; }\n")
    assert not grub.kernels("menuentry 'x' { linux16 /boot/memtest86+.bin; }\nmenuentry '; linux /v'\n")


def test_reads_entries_detects_blscfg() -> None:
    assert grub.reads_entries("insmod blscfg\nblscfg\n")
    assert not grub.reads_entries("insmod blscfg\n# blscfg\n")


def block(*lines: str, size: int = 1024) -> bytes:
    text = "# GRUB Environment Block\n" + "".join(f"{line}\n" for line in lines)
    return text.encode().ljust(size, b"#")


@pytest.mark.parametrize("size", [1024, 4096])
def test_environment_block_keeps_size_and_other_variables(size: int) -> None:
    old = block("saved_entry=x", "kernelopts=root=x quiet ro", "boot_success=1", size=size)
    new = grub.new_environment(old, REQUEST)
    assert new == block("saved_entry=x", "kernelopts=root=x ro nosmt", "boot_success=1", size=size)
    assert len(new) == size
    assert grub.new_environment(new, REQUEST) == new


def test_block_without_variable_stays_unchanged() -> None:
    assert grub.new_environment(block("saved_entry=x"), REQUEST) == block("saved_entry=x")
    assert not grub.sets_variable(block("saved_entry=x"))
    assert grub.sets_variable(block("kernelopts=x"))


def test_full_block_is_an_error() -> None:
    with pytest.raises(IgnitionError, match="environment block is full: 1028 bytes of 1024"):
        grub.new_environment(block(f"kernelopts={'a' * 985}"), ArgumentRequest(("nosmt",)))


def test_other_data_than_a_block_is_an_error() -> None:
    with pytest.raises(IgnitionError, match="not a GRUB environment block"):
        grub.new_environment(b"kernelopts=a\n", REQUEST)


@pytest.mark.real_commands("grub-editenv")
def test_grub_reads_the_written_block(tmp_path: Path) -> None:
    file = tmp_path / "grubenv"
    subprocess.run(["grub-editenv", file, "create"], check=True)
    subprocess.run(["grub-editenv", file, "set", "kernelopts=root=x quiet", "a=b"], check=True)
    file.write_bytes(grub.new_environment(file.read_bytes(), REQUEST))
    listed = subprocess.run(["grub-editenv", file, "list"], check=True, capture_output=True, text=True).stdout
    assert listed == "kernelopts=root=x nosmt\na=b\n"


@pytest.mark.real_commands("grub-script-check")
def test_grub_accepts_the_written_script(tmp_path: Path) -> None:
    request = ArgumentRequest(('d="x y"', "u=a&b;c", "#x"))
    file = tmp_path / "grub.cfg"
    file.write_text(
        grub.new_config("menuentry 'x' {\n\tlinux /v $a # c\n\tlinux /v; initrd /i\n}\n", request)
    )
    subprocess.run(["grub-script-check", file], check=True)
