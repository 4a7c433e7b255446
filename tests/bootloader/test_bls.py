# SPDX-License-Identifier: Apache-2.0
"""Boot Loader Specification entries: changes of options."""

from __future__ import annotations

import pytest

from ignition.bootloader import bls, grub
from ignition.bootloader.arguments import KERNEL, ArgumentRequest
from ignition.errors import IgnitionError

REQUEST = ArgumentRequest(("nosmt",), ("quiet",))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("title A\nlinux /v\noptions ro quiet\n", "title A\nlinux /v\noptions ro nosmt\n"),
        # Spaces around the value and the line ending stay unchanged.
        ("linux /v\n  options\t ro  quiet \r\n", "linux /v\n  options ro nosmt \r\n"),
        ("linux /v\noptions ro", "linux /v\noptions ro nosmt"),
        # Lines end only at line feeds.
        ("title a\x0coptions quiet\nlinux /v\n", "title a\x0coptions quiet\nlinux /v\noptions nosmt\n"),
        # Several options form one command line; comments and other keys do not count.
        (
            "options a quiet\nlinux /v\n#options quiet\noptions-x quiet\noptions b\n",
            "options a\nlinux /v\n#options quiet\noptions-x quiet\noptions b nosmt\n",
        ),
        ("linux /v\noptions quiet\noptions b\n", "linux /v\noptions\noptions b nosmt\n"),
        # No options yet.
        ("title A\nlinux /v\ninitrd /i\n", "title A\nlinux /v\noptions nosmt\ninitrd /i\n"),
        ("linux /v", "linux /v\noptions nosmt"),
        ("linux /v\noptions\n", "linux /v\noptions nosmt\n"),
    ],
)
def test_new_entry_changes_only_options(entry: str, expected: str) -> None:
    assert bls.new_entry(entry, REQUEST, KERNEL) == expected
    assert bls.new_entry(expected, REQUEST, KERNEL) == expected


@pytest.mark.parametrize(
    "entry", ["linux /v\noptions  nosmt \t ro \n", "linux /v\noptions nosmt\noptions \n"]
)
def test_entry_with_the_arguments_stays_unchanged(entry: str) -> None:
    assert bls.new_entry(entry, REQUEST, KERNEL) == entry


def test_entry_without_options_stays_unchanged_if_none_are_needed() -> None:
    assert bls.new_entry("linux /v\n", ArgumentRequest((), ("quiet",)), KERNEL) == "linux /v\n"


@pytest.mark.parametrize(
    ("entry", "expected"), [("linux /v\n", True), ("efi /shell.efi\n", False), ("# linux /v\n", False)]
)
def test_starts_linux_table(entry: str, expected: bool) -> None:
    assert bls.starts_linux(entry) is expected


def test_options_are_quoted_for_grub_and_not_for_systemd_boot() -> None:
    request = ArgumentRequest(("ip=a;b", 'd="x y"'))
    assert bls.new_entry("linux /v\noptions $a\n", request, KERNEL) == 'linux /v\noptions $a ip=a;b d="x y"\n'
    assert bls.new_entry("linux /v\noptions $a\n", request, grub.SCRIPT) == (
        "linux /v\noptions $a 'ip=a;b' d=\"x y\"\n"
    )


@pytest.mark.parametrize("value", ['"a b" "c d"', '"a=b c"'])
def test_options_that_systemd_boot_would_unquote_are_an_error(value: str) -> None:
    with pytest.raises(IgnitionError, match="strips quotes"):
        bls.new_entry(f"linux /v\noptions {value}\n", REQUEST, KERNEL)


def test_new_options_that_systemd_boot_would_unquote_are_an_error() -> None:
    with pytest.raises(IgnitionError, match="strips quotes"):
        bls.new_entry('linux /v\noptions "a=b c" ro\n', ArgumentRequest(('d="x y"',), ("ro",)), KERNEL)
