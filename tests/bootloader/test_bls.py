"""Entries of the Boot Loader Specification: only the options change."""

from __future__ import annotations

import pytest

from ignition.bootloader import bls, grub
from ignition.bootloader.arguments import KERNEL, Wish
from ignition.errors import IgnitionError

WISH = Wish(("nosmt",), ("quiet",))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("title A\nlinux /v\noptions ro quiet\n", "title A\nlinux /v\noptions ro nosmt\n"),
        # Blanks before and behind the value, the end of the line, its absence: all stay.
        ("linux /v\n  options\t ro  quiet \r\n", "linux /v\n  options ro nosmt \r\n"),
        ("linux /v\noptions ro", "linux /v\noptions ro nosmt"),
        # A line ends at a line feed, and nowhere else.
        ("title a\x0coptions quiet\nlinux /v\n", "title a\x0coptions quiet\nlinux /v\noptions nosmt\n"),
        # Several options are one line; comments and other keys are none of it.
        (
            "options a quiet\nlinux /v\n#options quiet\noptions-x quiet\noptions b\n",
            "options a\nlinux /v\n#options quiet\noptions-x quiet\noptions b nosmt\n",
        ),
        ("linux /v\noptions quiet\noptions b\n", "linux /v\noptions\noptions b nosmt\n"),
        # None yet.
        ("title A\nlinux /v\ninitrd /i\n", "title A\nlinux /v\noptions nosmt\ninitrd /i\n"),
        ("linux /v", "linux /v\noptions nosmt"),
        ("linux /v\noptions\n", "linux /v\noptions nosmt\n"),
    ],
)
def test_only_the_options_change(entry: str, expected: str) -> None:
    assert bls.new_entry(entry, WISH, KERNEL) == expected
    assert bls.new_entry(expected, WISH, KERNEL) == expected


@pytest.mark.parametrize(
    "entry", ["linux /v\noptions  nosmt \t ro \n", "linux /v\noptions nosmt\noptions \n"]
)
def test_an_entry_that_is_as_wished_stays_byte_for_byte(entry: str) -> None:
    assert bls.new_entry(entry, WISH, KERNEL) == entry


def test_an_entry_without_options_that_needs_none_stays() -> None:
    assert bls.new_entry("linux /v\n", Wish((), ("quiet",)), KERNEL) == "linux /v\n"


@pytest.mark.parametrize(
    ("entry", "expected"), [("linux /v\n", True), ("efi /shell.efi\n", False), ("# linux /v\n", False)]
)
def test_which_entries_start_a_kernel(entry: str, expected: bool) -> None:
    assert bls.starts_linux(entry) is expected


def test_systemd_boot_gets_arguments_as_they_are_and_grub_in_its_quotes() -> None:
    wish = Wish(("ip=a;b", 'd="x y"'))
    assert bls.new_entry("linux /v\noptions $a\n", wish, KERNEL) == 'linux /v\noptions $a ip=a;b d="x y"\n'
    assert bls.new_entry("linux /v\noptions $a\n", wish, grub.SCRIPT) == (
        "linux /v\noptions $a 'ip=a;b' d=\"x y\"\n"
    )


@pytest.mark.parametrize("value", ['"a b" "c d"', '"a=b c"'])
def test_options_from_which_systemd_boot_takes_quotes_are_not_touched(value: str) -> None:
    with pytest.raises(IgnitionError, match="strips quotes"):
        bls.new_entry(f"linux /v\noptions {value}\n", WISH, KERNEL)


def test_options_are_not_made_such_that_systemd_boot_takes_quotes() -> None:
    with pytest.raises(IgnitionError, match="strips quotes"):
        bls.new_entry('linux /v\noptions "a=b c" ro\n', Wish(('d="x y"',), ("ro",)), KERNEL)
