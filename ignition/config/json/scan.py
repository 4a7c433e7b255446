# SPDX-License-Identifier: Apache-2.0
"""A JSON scanner that remembers the place of each value in the text.

It runs only when a report has entries or when the standard library refuses the text. It
works on bytes and does not recurse. In text that is not JSON it finds the byte at which the
reference's scanner stops.

Source: docs/reference/config-language.md, "JSON decoding".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn

from ignition.config.json.values import (
    MAX_DEPTH,
    Malformed,
    Raw,
    as_object,
    decode_leniently,
    integer,
    repaired,
)

__all__ = ["Mark", "scan"]

_BLANKS = b" \t\r\n"
_BLANK = re.compile(rb"[ \t\r\n]*")
# No byte can be matched in two ways, so that a mismatch is found in linear time.
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*"')
_STRING_START = re.compile(_STRING.pattern[:-1] + rb"(?:\\(?:u[0-9A-Fa-f]{0,3})?)?")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![.eE])")
_NUMBER_START = re.compile(rb"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE][+-]?)?)?|[eE][+-]?)?)?")
_LITERALS: dict[bytes, bool | None] = {b"true": True, b"false": False, b"null": None}


@dataclass(slots=True)
class Mark:
    """A value and its extent in the text, in bytes; `end` is exclusive.

    Objects have `members` (key, offset of the key, value) and arrays have `items`, in the
    order of the text, repeated keys included.
    """

    start: int
    end: int
    value: Raw = None
    members: list[tuple[str, int, Mark]] | None = None
    items: list[Mark] | None = None

    @property
    def opened(self) -> int:
        """The offset that is reported for the value: the byte after its bracket, else its first byte."""
        return self.start + 1 if self.members is not None or self.items is not None else self.start

    @property
    def read(self) -> int:
        """The number of bytes that the reference has read when it checks the value's type."""
        return self.opened if self.opened != self.start else self.end


def scan(data: bytes) -> Mark:
    """Read JSON text and return its root value with the places of all values.

    Raises:
        Malformed: the bytes are not JSON.
    """
    return _Scanner(data).scan()


@dataclass(slots=True)
class _Frame:
    """An object or array whose closing bracket is not reached yet."""

    mark: Mark
    pairs: list[tuple[str, Raw]] | None = None
    values: list[Raw] | None = None
    key: str = ""
    place: int = 0


class _Scanner:
    """One pass over the text; open brackets are on an explicit stack."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.frames: list[_Frame] = []

    def scan(self) -> Mark:
        while True:
            mark = self.open_or_scalar()
            if mark is None:
                continue
            done = self.close(mark)
            if done is not None:
                return done

    def open_or_scalar(self) -> Mark | None:
        """Return the next value; None if it is an object or array that is not empty."""
        byte = self.peek()
        if byte not in b"{[":
            return self.scalar(byte)
        mark = Mark(self.at, self.at)
        frame = _Frame(mark)
        if byte == b"{":
            mark.members, frame.pairs = [], []
        else:
            mark.items, frame.values = [], []
        self.at += 1
        if len(self.frames) == MAX_DEPTH:
            raise Malformed(f"more than {MAX_DEPTH} levels of nesting", self.at)
        if self.peek() == (b"}" if byte == b"{" else b"]"):
            self.at += 1
            mark.end = self.at
            mark.value = {} if byte == b"{" else []
            return mark
        self.frames.append(frame)
        if byte == b"{":
            self.key(frame)
        return None

    def close(self, mark: Mark) -> Mark | None:
        """Add a complete value to the open bracket; return the root value when it is complete."""
        while self.frames:
            frame = self.frames[-1]
            closing = _attach(frame, mark)
            byte = self.peek()
            if byte == b",":
                self.at += 1
                if frame.pairs is not None:
                    self.key(frame)
                return None
            if byte != closing:
                self.fail(f'expected "," or "{closing.decode()}"')
            self.at += 1
            mark = frame.mark
            mark.end = self.at
            mark.value = frame.values if frame.pairs is None else as_object(frame.pairs)
            self.frames.pop()
        self.blank()
        if self.at < len(self.data):
            self.fail("unexpected text after the end of the config")
        return mark

    def key(self, frame: _Frame) -> None:
        """Read a key and its colon."""
        if self.peek() != b'"':
            self.fail("expected an object key in double quotes")
        frame.place = self.at
        frame.key = self.string()
        if self.peek() != b":":
            self.fail('expected ":" after the object key')
        self.at += 1

    def scalar(self, byte: bytes) -> Mark:
        start = self.at
        value: Raw
        if byte == b'"':
            value = self.string()
        elif byte in b"-0123456789":
            value = self.number()
        else:
            value = self.literal()
        return Mark(start, self.at, value)

    def string(self) -> str:
        match = _STRING.match(self.data, self.at)
        if match is None:
            self.at = _end(_STRING_START, self.data, self.at)
            self.fail("unescaped control character or invalid escape sequence in a string")
        self.at = match.end()
        text = decode_leniently(match.group())
        return str(repaired(json.loads(text))) if "\\" in text else text[1:-1]

    def number(self) -> Raw:
        match = _NUMBER.match(self.data, self.at)
        if match is None:
            self.at = _end(_NUMBER_START, self.data, self.at)
            self.fail("malformed number")
        self.at = match.end()
        return integer(match.group().decode())

    def literal(self) -> Raw:
        for word, value in _LITERALS.items():
            if self.data.startswith(word[:1], self.at):
                for expected in word:
                    if self.data[self.at : self.at + 1] != bytes((expected,)):
                        self.fail("malformed literal, expected true, false or null")
                    self.at += 1
                return value
        return self.fail("expected a value")

    def peek(self) -> bytes:
        """Return the next byte that is not white space."""
        byte = self.data[self.at : self.at + 1]
        if byte not in _BLANKS:  # the empty bytes at the end of the text are in it too
            return byte
        self.blank()
        if self.at == len(self.data):
            raise Malformed("unexpected end of the text", self.at)
        return self.data[self.at : self.at + 1]

    def blank(self) -> None:
        self.at = _end(_BLANK, self.data, self.at)

    def fail(self, message: str) -> NoReturn:
        """Raise for the current byte, or for the end of the text."""
        if self.at >= len(self.data):
            raise Malformed("unexpected end of the text", len(self.data))
        raise Malformed(message, self.at + 1)


def _attach(frame: _Frame, mark: Mark) -> bytes:
    """Add a value to an open object or array; return the closing bracket that belongs to it."""
    if frame.pairs is not None:
        frame.pairs.append((frame.key, mark.value))
        assert frame.mark.members is not None
        frame.mark.members.append((frame.key, frame.place, mark))
        return b"}"
    assert frame.values is not None
    assert frame.mark.items is not None
    frame.values.append(mark.value)
    frame.mark.items.append(mark)
    return b"]"


def _end(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    match = pattern.match(data, start)
    return match.end() if match else start
