# SPDX-License-Identifier: Apache-2.0
"""Parser for unit files, with the rules of the reference.

Text before the first section is skipped, unlike in systemd. An option without an equals sign is an
error, and so is a line of 2048 bytes or more, where the buffer of the reference's reader exposes it.

Source: docs/reference/config-language.md, "systemd units".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["MalformedUnit", "Option", "install_options", "parse_unit"]

_LONGEST_LINE = 2048
_BUFFER = 4096
_SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_END_OF_NAME = re.compile(rb"[=\r\n]")


class MalformedUnit(ValueError):
    """The text is not a unit file; the message names the line."""


@dataclass(frozen=True, slots=True)
class Option:
    """The section and the name of an option."""

    section: str
    name: str


def parse_unit(contents: str) -> tuple[Option, ...]:
    """Return the options of a unit file.

    Raises:
        MalformedUnit: the text is not a unit file.
    """
    return _Reader(contents.encode(errors="replace")).options()


class _Reader:
    """Reader that simulates how far the buffer of the reference's reader is filled."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.filled = 0

    def options(self) -> tuple[Option, ...]:
        found: list[Option] = []
        section: str | None = None
        while True:
            self.check_line()
            character = self.character()
            if not character:
                return tuple(found)
            if character == "[":
                section = self.section()
            elif character in "#;":
                self.skip_comment()
            elif section is not None and character not in _SPACE:
                self.at -= len(character.encode())
                found.append(self.option(section))

    def section(self) -> str:
        self.check_line()
        name, complete = self.until(b"]")
        if not complete:
            self.fail("missing bracket after a section name")
        self.check_line()
        if self.rest_of_line().decode(errors="replace").strip(_SPACE):
            self.fail("unexpected text after a section name")
        return name.decode(errors="replace")

    def skip_comment(self) -> None:
        self.check_line()
        while self.rest_of_line().removesuffix(b" ").endswith(b"\\"):
            pass

    def option(self, section: str) -> Option:
        self.check_line()
        end = _END_OF_NAME.search(self.data, self.at)
        if end is None or end.group() != b"=":
            self.fail("missing equals sign after an option name")
        name = self.data[self.at : end.start()].decode(errors="replace").strip(_SPACE)
        while self.filled <= end.start():
            self.filled = min(len(self.data), self.filled + _BUFFER)
        self.at = end.end()
        while True:
            self.check_line()
            line = self.rest_of_line()
            if not line.decode(errors="replace").strip(_SPACE) or not line.endswith(b"\\"):
                return Option(section, name)

    def character(self) -> str:
        """Return the next character; empty at the end."""
        if self.at == len(self.data):
            return ""
        first = self.data[self.at]
        size = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        if self.at + size > self.filled:
            self.fill()
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def rest_of_line(self) -> bytes:
        line, complete = self.until(b"\n")
        return line if complete else line.removesuffix(b"\r")

    def until(self, delimiter: bytes) -> tuple[bytes, bool]:
        """Read past the delimiter; return the bytes before it, and whether it was found."""
        start = self.at
        while True:
            found = self.data.find(delimiter, self.at, self.filled)
            if found >= 0:
                self.at = found + 1
                return self.data[start:found], True
            if self.filled == len(self.data):
                self.at = self.filled
                return self.data[start:], False
            if self.filled - self.at >= _BUFFER:
                self.at = self.filled
            self.fill()

    def fill(self) -> None:
        self.filled = min(len(self.data), self.at + _BUFFER)

    def check_line(self) -> None:
        if self.filled - self.at < _LONGEST_LINE:
            return
        ahead = self.data[self.at : self.at + _LONGEST_LINE]
        if b"\n" not in ahead and b"\r" not in ahead:
            self.fail(f"a line is longer than {_LONGEST_LINE} bytes")

    def fail(self, message: str) -> NoReturn:
        line = self.data.count(b"\n", 0, self.at) + 1
        raise MalformedUnit(f"line {line}: {message}")


def install_options(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the options of the `[Install]` sections with their words, as systemd reads them.

    An option without words resets it. Lines that systemd ignores are skipped (systemd.syntax(7)): unit files
    of an image are read leniently, those of a config strictly (`parse_unit`).
    """
    section = whole = ""
    for line in text.split("\n"):
        if line.strip().startswith(("#", ";")):
            continue
        whole += line.strip()
        if whole.endswith("\\"):
            whole = f"{whole[:-1]} "
            continue
        option, equals, words = whole.partition("=")
        if whole.startswith("["):
            section = whole
        elif equals and section == "[Install]":
            yield option.strip(), words.split()
        whole = ""
