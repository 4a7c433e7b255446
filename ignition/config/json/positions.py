"""Where things stand in a config's text: path → line and column.

A scanner of its own, run only when a report has entries or the standard library
could not read the text. It works on bytes, never recurses, and remembers for each
value where it starts and ends. For text that is not JSON it finds the byte at which
the reference's scanner gives up.

Source: config-spec sections 2 and 3.2.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import NoReturn

from ignition.config.json.decode import (
    MAX_DEPTH,
    Malformed,
    Raw,
    as_object,
    decode_leniently,
    integer,
    repaired,
)
from ignition.configpath import ConfigPath
from ignition.diagnostics import Position

__all__ = ["NOWHERE", "Mark", "Places", "position_of_fault", "scan"]

NOWHERE = Position(0, 0)
"""What the reference says when it means the end of the text."""

_BLANKS = b" \t\r\n"
_BLANK = re.compile(rb"[ \t\r\n]*")
# Written so that no byte can be matched in two ways: what fails must fail in linear time.
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*"')
_STRING_START = re.compile(_STRING.pattern[:-1] + rb"(?:\\(?:u[0-9A-Fa-f]{0,3})?)?")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![.eE])")
_NUMBER_START = re.compile(rb"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE][+-]?)?)?|[eE][+-]?)?)?")
_LITERALS: dict[bytes, bool | None] = {b"true": True, b"false": False, b"null": None}


@dataclass(slots=True)
class Mark:
    """One value and its extent in the text, in bytes; `end` is past its last one.

    Objects have `members` (each with its key and the key's place) and arrays `items`,
    in the order of the text, repeated keys included.
    """

    start: int
    end: int
    value: Raw = None
    members: list[tuple[str, int, Mark]] | None = None
    items: list[Mark] | None = None

    @property
    def opened(self) -> int:
        """The place that stands for the value: the byte after the bracket, else the first."""
        return self.start + 1 if self.members is not None or self.items is not None else self.start

    @property
    def read(self) -> int:
        """How far the reference has read when it judges the value's type."""
        return self.opened if self.opened != self.start else self.end


def scan(data: bytes) -> Mark:
    """Read JSON text with the place of each value.

    Raises:
        Malformed: the bytes are not JSON.
    """
    return _Scanner(data).scan()


class Places:
    """Answers where the paths of one text stand."""

    def __init__(self, data: bytes) -> None:
        self._end = len(data)
        self._newlines = [match.start() for match in re.finditer(b"\n", data)]
        self._indexes: dict[int, dict[str, tuple[int, Mark]]] = {}
        self._root = scan(data)

    def of(self, path: ConfigPath) -> Position:
        """Where the value at a path stands, or the deepest thing around it that exists."""
        return self._position(self._find(path)[1].opened)

    def of_key(self, path: ConfigPath) -> Position:
        """Where the key stands that a path ends with."""
        return self._position(self._find(path)[0])

    def after(self, steps: tuple[int, ...]) -> Position:
        """How far the reference has read when it judges the value reached by these steps.

        A step is the index of a member or an item in the order of the text. At the very
        end of the text the reference does not say.
        """
        mark = self._root
        for step in steps:
            mark = mark.members[step][2] if mark.members is not None else (mark.items or [])[step]
        return NOWHERE if mark.read >= self._end else self._position(mark.read)

    def _find(self, path: ConfigPath) -> tuple[int, Mark]:
        place, mark = self._root.opened, self._root
        for element in path:
            child = self._child(mark, element)
            if child is None:
                break
            place, mark = child
        return place, mark

    def _child(self, mark: Mark, element: str | int) -> tuple[int, Mark] | None:
        if isinstance(element, int):
            items = mark.items or []
            return (items[element].start, items[element]) if element < len(items) else None
        if mark.members is None:
            return None
        index = self._indexes.get(id(mark))
        if index is None:
            index = {key: (place, child) for key, place, child in mark.members}
            self._indexes[id(mark)] = index
        return index.get(element)

    def _position(self, offset: int) -> Position:
        line = bisect_left(self._newlines, offset)
        return Position(line + 1, offset - (self._newlines[line - 1] if line else -1))


def position_of_fault(data: bytes, fault: Malformed) -> Position:
    """Where the reference says that text stops to be JSON."""
    if fault.offset >= len(data):
        return NOWHERE
    return Position(data.count(b"\n", 0, fault.offset) + 1, fault.offset - data.rfind(b"\n", 0, fault.offset))


@dataclass(slots=True)
class _Frame:
    """A bracket that is still open."""

    mark: Mark
    pairs: list[tuple[str, Raw]] | None = None
    values: list[Raw] | None = None
    key: str = ""
    place: int = 0


class _Scanner:
    """One pass over the text, with the open brackets on a stack of its own."""

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
        """The next value if it is complete; None if a bracket was opened that holds something."""
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
        """Put a complete value in its place; return the whole when it is complete."""
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
                self.fail("a comma or a closing bracket is missing")
            self.at += 1
            mark = frame.mark
            mark.end = self.at
            mark.value = frame.values if frame.pairs is None else as_object(frame.pairs)
            self.frames.pop()
        self.blank()
        if self.at < len(self.data):
            self.fail("something follows the end of the config")
        return mark

    def key(self, frame: _Frame) -> None:
        """Read a key and its colon."""
        if self.peek() != b'"':
            self.fail("a key in double quotes is missing")
        frame.place = self.at
        frame.key = self.string()
        if self.peek() != b":":
            self.fail("the colon after a key is missing")
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
            self.fail("a text holds a raw control character or a bad escape")
        self.at = match.end()
        text = decode_leniently(match.group())
        return str(repaired(json.loads(text))) if "\\" in text else text[1:-1]

    def number(self) -> Raw:
        match = _NUMBER.match(self.data, self.at)
        if match is None:
            self.at = _end(_NUMBER_START, self.data, self.at)
            self.fail("a number is malformed")
        self.at = match.end()
        return integer(match.group().decode())

    def literal(self) -> Raw:
        for word, value in _LITERALS.items():
            if self.data.startswith(word[:1], self.at):
                for expected in word:
                    if self.data[self.at : self.at + 1] != bytes((expected,)):
                        self.fail("a word is misspelt")
                    self.at += 1
                return value
        return self.fail("a value is missing")

    def peek(self) -> bytes:
        """The next byte that is not blank."""
        byte = self.data[self.at : self.at + 1]
        if byte not in _BLANKS:  # as the empty end is too
            return byte
        self.blank()
        if self.at == len(self.data):
            raise Malformed("the text ends too early", self.at)
        return self.data[self.at : self.at + 1]

    def blank(self) -> None:
        self.at = _end(_BLANK, self.data, self.at)

    def fail(self, message: str) -> NoReturn:
        """The byte at hand does not fit."""
        if self.at >= len(self.data):
            raise Malformed("the text ends too early", len(self.data))
        raise Malformed(message, self.at + 1)


def _attach(frame: _Frame, mark: Mark) -> bytes:
    """Add a value to what is open; return the bracket that would close it."""
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
