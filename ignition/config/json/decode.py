"""JSON text → raw values, with what the reference's decoder keeps apart.

`json.loads` alone would lose repeated keys and the difference between `420` and
`420.0`, would take `NaN`, and would stop at a thousand levels. Valid text takes the
fast way through the standard library; text that it refuses is read again by
`ignition.config.json.positions`, which decides, and knows where the fault is.

Source: config-spec section 2.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import TypeAlias

__all__ = [
    "MAX_DEPTH",
    "Malformed",
    "Number",
    "Pairs",
    "Raw",
    "as_object",
    "decode_leniently",
    "integer",
    "load",
    "repaired",
]

MAX_DEPTH = 10_000
"""Deeper nesting is an error."""

_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = len(str(-(2**63)))
_SURROGATE = re.compile("[\ud800-\udfff]")


class Number(str):
    """A number's literal that is no integer, or too large for one."""

    __slots__ = ()


class Pairs(tuple[tuple[str, "Raw"], ...]):
    """The members of an object in which a key is repeated."""

    __slots__ = ()


Raw: TypeAlias = "dict[str, Raw] | Pairs | list[Raw] | str | int | bool | Number | None"
"""A JSON value; objects are dictionaries unless a key is repeated."""


class Malformed(ValueError):
    """The text is not JSON.

    `offset` is the number of bytes read when that was noticed, so the culprit is the
    one before; it is the length of the text if the text just ends too early.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def load(data: bytes) -> Raw:
    """Read JSON text.

    Bytes in texts that are not UTF-8, and halves of surrogate pairs, become U+FFFD.

    Raises:
        Malformed: the bytes are not JSON.
    """
    try:
        return _decoder(repair=b"\\u" in data).decode(decode_leniently(data))  # type: ignore[no-any-return]
    except (JSONDecodeError, RecursionError):
        from ignition.config.json.positions import scan

        return scan(data).value


def integer(literal: str) -> int | Number:
    """A number's literal as a 64-bit integer, or as it stands if it is none."""
    if len(literal) <= _INT64_DIGITS and literal.lstrip("-").isdecimal() and int(literal) in _INT64:
        return int(literal)
    return Number(literal)


def as_object(pairs: list[tuple[str, Raw]]) -> dict[str, Raw] | Pairs:
    """The members of an object as a dictionary, or as they stand if a key is repeated."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else Pairs(pairs)


def repaired(value: Raw) -> Raw:
    """Halves of surrogate pairs in a text become U+FFFD; other values stay."""
    return _SURROGATE.sub("\ufffd", value) if type(value) is str else value


def decode_leniently(data: bytes) -> str:
    """UTF-8 in which each byte that does not belong becomes one U+FFFD."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _SURROGATE.sub("\ufffd", data.decode(errors="surrogateescape"))


def _decoder(*, repair: bool) -> JSONDecoder:
    return JSONDecoder(
        object_pairs_hook=_repaired_object if repair else as_object,
        parse_float=Number,
        parse_int=integer,
        parse_constant=_refuse,
    )


def _repaired_object(pairs: list[tuple[str, Raw]]) -> dict[str, Raw] | Pairs:
    return as_object([(_SURROGATE.sub("\ufffd", key), _repaired_value(value)) for key, value in pairs])


def _repaired_value(value: Raw) -> Raw:
    if type(value) is list:
        return [repaired(item) for item in value]
    return repaired(value)


def _refuse(constant: str) -> None:
    raise JSONDecodeError("no such literal", constant, 0)
