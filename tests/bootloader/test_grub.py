"""GRUB's script and environment block: only kernel arguments change, in GRUB's own quoting."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ignition.bootloader import grub
from ignition.bootloader.arguments import Wish
from ignition.errors import IgnitionError

WISH = Wish(("nosmt",), ("quiet",))


def line_after(line: str, wish: Wish = WISH) -> str:
    new = grub.new_config(f"# before\n{line}\n", wish)
    assert new.startswith("# before\n")
    assert grub.new_config(new, wish) == new
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
        # What is no argument of a kernel.
        ("linux16 /boot/memtest86+.bin quiet", "linux16 /boot/memtest86+.bin quiet"),
        ("# linux /v quiet", "# linux /v quiet"),
        ("linuxrc /v quiet", "linuxrc /v quiet"),
        ("echo 'linux /v quiet'", "echo 'linux /v quiet'"),
        # Quotes of all kinds mean what they mean to GRUB.
        ("linux /v 'quiet' \"quiet\" qu\\iet ro", "linux /v ro nosmt"),
        ("linux /v 'a quiet'", "linux /v 'a quiet' nosmt"),
        ("linux /v no'smt'", "linux /v no'smt'"),
        # The command may end before the line does.
        ("linux /v quiet # quiet", "linux /v nosmt # quiet"),
        ("linux /v quiet; initrd /i", "linux /v nosmt; initrd /i"),
        ("linux /v quiet }", "linux /v nosmt }"),
        # Arguments in a variable: added there, taken away everywhere.
        ("linux /v quiet $kernelopts", "linux /v $kernelopts"),
        ("linux /v ${kernelopts} quiet", "linux /v ${kernelopts}"),
        ("linux /v $kernelopts2 quiet", "linux /v $kernelopts2 nosmt"),
        # The line that the reference's example edits, and other ways to write it.
        ("kernelopts=root=x ro quiet", "kernelopts=root=x ro nosmt"),
        ('  set kernelopts="root=$root quiet"', '  set kernelopts="root=$root nosmt"'),
        ("set kernelopts='quiet'", "set kernelopts='nosmt'"),
        ("set kernelopts=quiet", 'set kernelopts="nosmt"'),
        ("set kernelopts=ro", 'set kernelopts="ro nosmt"'),
        ("set other=quiet", "set other=quiet"),
    ],
)
def test_what_becomes_of_a_line(line: str, expected: str) -> None:
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
def test_how_arguments_are_spelled(argument: str, spelled: str) -> None:
    assert line_after("linux /v ro", Wish((argument,))) == f"linux /v ro {spelled}"


@pytest.mark.parametrize("argument", ['a="b"c"d"', "a'b", "a\\b", "a$b"])
def test_what_grub_cannot_hand_on_is_refused(argument: str) -> None:
    with pytest.raises(IgnitionError, match="line 2: GRUB cannot pass"):
        line_after("linux /v ro", Wish((argument,)))


@pytest.mark.parametrize("argument", ['a="b c"', "a;b", "a&b", "a$b"])
def test_what_a_variable_cannot_hold_is_refused(argument: str) -> None:
    with pytest.raises(IgnitionError, match="variable"):
        line_after('set kernelopts="ro"', Wish((argument,)))


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
def test_a_line_that_is_not_understood_is_named(line: str) -> None:
    with pytest.raises(IgnitionError, match="line 2: "):
        line_after(line)


def test_all_else_stays_byte_for_byte() -> None:
    # A line ends at a line feed, and nowhere else.
    config = (
        'set timeout=5\r\n\nmenuentry "quiet" {\n  linux /v nosmt  ro\n}\n# a\x0clinux /v quiet\n'
        "menuentry '; linux /v' { # then linux /v quiet\n}\nend without a line break"
    )
    assert grub.new_config(config, WISH) == config


def test_a_script_with_nothing_but_a_kernel_amidst_a_line_has_one() -> None:
    assert grub.kernels("menuentry 'x' { linux /v quiet; }\n")
    assert not grub.kernels("menuentry 'x' { linux16 /boot/memtest86+.bin; }\nmenuentry '; linux /v'\n")


def test_whether_entries_are_read() -> None:
    assert grub.reads_entries("insmod blscfg\nblscfg\n")
    assert not grub.reads_entries("insmod blscfg\n# blscfg\n")


def block(*lines: str, size: int = 1024) -> bytes:
    text = "# GRUB Environment Block\n" + "".join(f"{line}\n" for line in lines)
    return text.encode().ljust(size, b"#")


@pytest.mark.parametrize("size", [1024, 4096])
def test_the_environment_block_keeps_its_size_and_its_other_variables(size: int) -> None:
    old = block("saved_entry=x", "kernelopts=root=x quiet ro", "boot_success=1", size=size)
    new = grub.new_environment(old, WISH)
    assert new == block("saved_entry=x", "kernelopts=root=x ro nosmt", "boot_success=1", size=size)
    assert len(new) == size
    assert grub.new_environment(new, WISH) == new


def test_a_block_without_the_variable_stays() -> None:
    assert grub.new_environment(block("saved_entry=x"), WISH) == block("saved_entry=x")
    assert not grub.sets_variable(block("saved_entry=x"))
    assert grub.sets_variable(block("kernelopts=x"))


def test_a_block_that_is_full_is_not_written() -> None:
    with pytest.raises(IgnitionError, match="environment block is full: 1028 bytes of 1024"):
        grub.new_environment(block(f"kernelopts={'a' * 985}"), Wish(("nosmt",)))


def test_what_is_no_block_is_not_taken_for_one() -> None:
    with pytest.raises(IgnitionError, match="not a GRUB environment block"):
        grub.new_environment(b"kernelopts=a\n", WISH)


@pytest.mark.real_commands("grub-editenv")
def test_grub_reads_the_block_that_was_written(tmp_path: Path) -> None:
    file = tmp_path / "grubenv"
    subprocess.run(["grub-editenv", file, "create"], check=True)
    subprocess.run(["grub-editenv", file, "set", "kernelopts=root=x quiet", "a=b"], check=True)
    file.write_bytes(grub.new_environment(file.read_bytes(), WISH))
    listed = subprocess.run(["grub-editenv", file, "list"], check=True, capture_output=True, text=True).stdout
    assert listed == "kernelopts=root=x nosmt\na=b\n"


@pytest.mark.real_commands("grub-script-check")
def test_grub_understands_the_script_that_was_written(tmp_path: Path) -> None:
    wish = Wish(('d="x y"', "u=a&b;c", "#x"))
    file = tmp_path / "grub.cfg"
    file.write_text(grub.new_config("menuentry 'x' {\n\tlinux /v $a # c\n\tlinux /v; initrd /i\n}\n", wish))
    subprocess.run(["grub-script-check", file], check=True)
