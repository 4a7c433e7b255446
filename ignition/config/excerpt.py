# SPDX-License-Identifier: Apache-2.0
"""Excerpts of a config: the line of a finding, with a caret under the token.

    12 |       "contnts": {"source": "data:***"}
       |       ^~~~~~~~~

The values of secret fields are replaced by `***` anywhere on the line. Long lines are
clipped around the caret, and control characters are replaced. The text need not be JSON, so
only tokens are examined, never structure.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ignition.diagnostics import Position
from ignition.resource.redact import SHOWN_PARAMETERS

__all__ = ["Excerpt", "Side", "Text"]

WIDTH: Final = 100
"""Maximum number of bytes of a line that are shown."""

BEFORE: Final = 40
"""Bytes shown before the token in a clipped line."""

BLANK: Final = b"***"

SECRET_FIELDS: Final = frozenset({b"config", b"contents", b"passwordhash", b"value"})
"""Fields, in lower case, whose value is not shown: those that the model marks as secret, except
`source`, where only the secret parts of the URL are hidden."""

_STRING: Final = rb'"((?:[^"\\\r\n]++|\\[^\r\n])*+)"?'
_STRING_OR_KEY: Final = re.compile(_STRING + rb"(\s*:)?")
_TOKEN: Final = re.compile(_STRING + rb"|[0-9A-Za-z+.-]+|[^\s]")
_SECRETS: Final = re.compile(
    rb"""(?ix) \A \s* data: (.*)
    | // ([^/@?\#]*) @
    | [?&] (?! (?: %b ) = ) [^=&\#]* = ([^&\#]+)
    | (-----BEGIN\ [A-Z\ ]*PRIVATE\ KEY.*)"""
    % "|".join(sorted(SHOWN_PARAMETERS)).encode(),
)
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
_STRIDE: Final = 4096


class Side(enum.Enum):
    """The location of the token relative to a position."""

    KEY = enum.auto()
    """The token starts at the position."""
    VALUE = enum.auto()
    """The same, but the position of an object or a list is the byte after its bracket."""
    ITEM = enum.auto()
    """The same for an item of a list: a `[` before the position belongs to the list."""
    READ = enum.auto()
    """The token ends right before the position: the reference reports how far it has read."""
    FAULT = enum.auto()
    """The byte before the position is the first that is not valid JSON."""


_BRACKETS: Final = {Side.VALUE: (b"{", b"["), Side.ITEM: (b"{",)}


@dataclass(frozen=True)
class Excerpt:
    """A part of one line.

    Attributes:
        line: line number, from 1.
        text: the shown text.
        indent: terminal columns before the token.
        width: terminal columns of the token.
    """

    line: int
    text: str
    indent: int
    width: int

    def __str__(self) -> str:
        """Return two lines, the first with its line number; without a final newline."""
        number = str(self.line)
        marker = " " * self.indent + "^" + "~" * (self.width - 1)
        return f"{number} | {self.text}\n{' ' * len(number)} | {marker}"


class Text:
    """The text of a config, with lookups by position."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = [0, *(match.end() for match in re.finditer(b"\n", data))]

    def character(self, position: Position) -> int:
        """Return the column of the position in characters instead of bytes; 0 if unknown."""
        if not position.line:
            return 0
        start = self._starts[position.line - 1]
        end = start + position.column - 1
        return end - start - (self._continued(end) - self._continued(start)) + 1

    def token(self, position: Position, side: Side) -> bytes:
        """Return the token at a position; empty if the position is not in the text."""
        if not position.line:
            return b""
        start, end = self._token(position, side)
        return self._data[start:end]

    def excerpt(self, position: Position, side: Side) -> Excerpt | None:
        """Return the excerpt for a position; None if it is not in the text."""
        if not position.line:
            return None
        start, end = self._token(position, side)
        number = bisect_right(self._starts, start)
        first, last = self._line(number)
        start, end = min(start, last), min(end, last)
        left, right = first, last
        if last - first > WIDTH:
            left = self._whole(max(first, min(start - BEFORE, last - WIDTH)))
            right = self._whole(min(last, left + WIDTH))
        end = min(end, right)
        before = ("…" if left > first else "") + _shown(self._blanked(left, start))
        token = _shown(self._blanked(start, end))
        after = _shown(self._blanked(end, right)) + ("…" if right < last else "")
        return Excerpt(number, f"{before}{token}{after}".rstrip(), _columns(before), max(1, _columns(token)))

    def _line(self, number: int) -> tuple[int, int]:
        """Return the start and the end of a line, without its newline."""
        first = self._starts[number - 1]
        last = self._starts[number] - 1 if number < len(self._starts) else len(self._data)
        return first, last - self._data.endswith(b"\r", first, last)

    def _token(self, position: Position, side: Side) -> tuple[int, int]:
        data, offset = self._data, self._starts[position.line - 1] + position.column - 1
        if side is Side.READ:
            return self._start_of(offset), offset
        if side is Side.FAULT or data[offset - 1 : offset] in _BRACKETS.get(side, ()):
            offset -= 1
        match = _TOKEN.match(data, offset)
        return match.span() if match else (offset, offset)

    def _start_of(self, end: int) -> int:
        """Return the start of the token that ends here."""
        data, floor, start = self._data, max(0, end - _STRIDE), end - 1
        if data[start:end] == b'"':
            opening = data.rfind(b'"', floor, start)
            while opening > floor and data[opening - 1 : opening] == b"\\":
                opening = data.rfind(b'"', floor, opening)
            return max(opening, floor)
        while start > floor and re.match(rb"[0-9A-Za-z+.-]{2}", data[start - 1 : end]):
            start -= 1
        return start

    def _whole(self, offset: int) -> int:
        """Return the offset, moved back to the start of its character."""
        while 0 < offset < len(self._data) and self._data[offset] in _CONTINUATION:
            offset -= 1
        return offset

    def _blanked(self, start: int, end: int) -> bytes:
        """Return a part of the text with its secrets replaced."""
        pieces, at = [], start
        for index in range(max(0, bisect_right(self._secrets, (start,)) - 1), len(self._secrets)):
            first, last = self._secrets[index]
            if first >= end:
                break
            if last > at:
                pieces += [self._data[at : max(at, first)], BLANK]
                at = min(last, end)
        return b"".join((*pieces, self._data[at:end]))

    @cached_property
    def _secrets(self) -> list[tuple[int, ...]]:
        return list(_secrets(self._data))

    def _continued(self, end: int) -> int:
        """Count the UTF-8 continuation bytes before an offset."""
        stride, rest = divmod(end, _STRIDE)
        return self._sums[stride] + _continuations(self._data[end - rest : end])

    @cached_property
    def _sums(self) -> list[int]:
        """Numbers of UTF-8 continuation bytes before each stride of the text."""
        sums = [0]
        for start in range(0, len(self._data), _STRIDE):
            sums.append(sums[-1] + _continuations(self._data[start : start + _STRIDE]))
        return sums


def _secrets(data: bytes) -> Iterator[tuple[int, ...]]:
    """Yield the extents of secrets, in order."""
    field = b""
    for match in _STRING_OR_KEY.finditer(data):
        if match[2]:
            field = match[1].lower()
        elif field in SECRET_FIELDS:
            yield match.span(1)
        else:
            start = match.start(1)
            for part in _SECRETS.finditer(match[1]):
                first, last = part.span(part.lastindex or 0)
                yield start + first, start + last


def _continuations(piece: bytes) -> int:
    return len(piece) - len(piece.translate(None, delete=_CONTINUATION))


def _shown(piece: bytes) -> str:
    text = piece.decode(errors="replace")
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _columns(text: str) -> int:
    """Return the width of the text in terminal columns."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
