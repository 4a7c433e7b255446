# SPDX-License-Identifier: Apache-2.0
"""JSON text to raw values, by the rules of the reference's decoder.

`json.loads` alone would lose repeated keys and the difference between `420` and `420.0`,
would accept `NaN`, and would stop at a thousand levels. Valid text is decoded by the
standard library; text that it refuses is read again by `ignition.config.json.scan`, which
decides and reports the position of the fault.

Source: docs/reference/config-language.md, "JSON decoding".
"""

from __future__ import annotations

from json import JSONDecodeError, JSONDecoder

from ignition.config.json.values import (
    SURROGATE,
    Number,
    Pairs,
    Raw,
    as_object,
    decode_leniently,
    integer,
    repaired,
)

__all__ = ["load"]


def load(data: bytes) -> Raw:
    """Decode JSON text; bytes that are not UTF-8 and lone surrogates in strings become U+FFFD.

    Raises:
        Malformed: the bytes are not JSON.
    """
    try:
        return _decoder(repair=b"\\u" in data).decode(decode_leniently(data))  # type: ignore[no-any-return]
    except (JSONDecodeError, RecursionError):
        from ignition.config.json.scan import scan

        return scan(data).value


def _decoder(*, repair: bool) -> JSONDecoder:
    return JSONDecoder(
        object_pairs_hook=_repaired_object if repair else as_object,
        parse_float=Number,
        parse_int=integer,
        parse_constant=_refuse,
    )


def _repaired_object(pairs: list[tuple[str, Raw]]) -> dict[str, Raw] | Pairs:
    return as_object([(SURROGATE.sub("\ufffd", key), _repaired_value(value)) for key, value in pairs])


def _repaired_value(value: Raw) -> Raw:
    if type(value) is list:
        return [repaired(item) for item in value]
    return repaired(value)


def _refuse(constant: str) -> None:
    raise JSONDecodeError("invalid literal", constant, 0)
