# SPDX-License-Identifier: Apache-2.0
"""Raw JSON values, and the rules that every reader of JSON text here shares.

Source: docs/reference/config-language.md, "JSON decoding".
"""

from __future__ import annotations

import re
from typing import TypeAlias

__all__ = [
    "MAX_DEPTH",
    "SURROGATE",
    "Malformed",
    "Number",
    "Pairs",
    "Raw",
    "as_object",
    "decode_leniently",
    "integer",
    "repaired",
]

MAX_DEPTH = 10_000
"""Maximum nesting of objects and arrays; deeper text is malformed."""

_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = len(str(-(2**63)))
SURROGATE = re.compile("[\ud800-\udfff]")


class Number(str):
    """The literal of a number that is not a 64-bit integer."""

    __slots__ = ()


class Pairs(tuple[tuple[str, "Raw"], ...]):
    """The members of an object that repeats a key."""

    __slots__ = ()


Raw: TypeAlias = "dict[str, Raw] | Pairs | list[Raw] | str | int | bool | Number | None"
"""A JSON value; objects are dictionaries unless a key is repeated."""


class Malformed(ValueError):
    """The text is not JSON.

    `offset` is the number of bytes read when the fault was found: the offending byte is the
    one before. It is the length of the text if the text ends too early.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def integer(literal: str) -> int | Number:
    """Convert the literal of a number to a 64-bit integer, or to a `Number` if it is not one."""
    if len(literal) <= _INT64_DIGITS and literal.lstrip("-").isdecimal() and int(literal) in _INT64:
        return int(literal)
    return Number(literal)


def as_object(pairs: list[tuple[str, Raw]]) -> dict[str, Raw] | Pairs:
    """Return the members of an object as a dictionary, or as `Pairs` if a key is repeated."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else Pairs(pairs)


def repaired(value: Raw) -> Raw:
    """Replace lone surrogates in a string by U+FFFD; other values are returned unchanged."""
    return SURROGATE.sub("\ufffd", value) if type(value) is str else value


def decode_leniently(data: bytes) -> str:
    """Decode UTF-8; each invalid byte becomes one U+FFFD."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return SURROGATE.sub("\ufffd", data.decode(errors="surrogateescape"))
