# SPDX-License-Identifier: Apache-2.0
"""data URLs: contents inside the config.

The grammar is the reference's subset of RFC 2397, stricter than browsers: `data:` and `base64` are lower
case, base64 is padded, and other contents may have only characters that are valid in a URL.
Source: docs/reference/config-language.md, "data URLs".
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp, b2a_base64

__all__ = ["MalformedDataUrl", "decode", "encode"]


class MalformedDataUrl(ValueError):
    """The text is not a valid data URL; the message does not contain the text."""


_CHARACTER = r"[!#-'*+\-.0-9A-Z^-z{|}~]"
_TYPE = rf"(?:(?:text|image|audio|video|application|message|multipart){_CHARACTER}*|[xX]-{_CHARACTER}*)"
_HEAD = re.compile(
    rf"""data:
    (?:{_TYPE}/{_CHARACTER}*)?
    (?:;{_CHARACTER}+=(?:"(?:[^"\\\r]|\\.)*"|{_CHARACTER}+))*
    (?P<base64>;base64)?
    ,""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[!$-;=?-Z_a-z~]*")


def decode(url: str) -> bytes:
    """Return the contents of a data URL.

    Raises:
        MalformedDataUrl: the text is not a valid data URL.
    """
    if not url.startswith("data:"):
        raise MalformedDataUrl("expected `data:` at the start")
    head = _HEAD.match(url)
    if head is None:
        if "," not in url:
            raise MalformedDataUrl("missing comma before the data")
        raise MalformedDataUrl("invalid media type or parameter before the comma")
    if head["base64"]:
        return _decode_base64(url[head.end() :])
    return _decode_plain(url[head.end() :])


def encode(contents: bytes) -> str:
    """Return a data URL of the contents."""
    return "data:;base64," + b2a_base64(contents, newline=False).decode("ascii")


def _decode_base64(text: str) -> bytes:
    if len(text) % 4 or text.endswith("==="):
        raise MalformedDataUrl("invalid base64 padding")
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError as caught:
        raise MalformedDataUrl("invalid base64 data, expected the standard alphabet") from caught


def _decode_plain(text: str) -> bytes:
    if not _PLAIN.fullmatch(text):
        raise MalformedDataUrl("the data contains a character that must be percent-encoded")
    # Quoted-printable has "=41" for "%41"; binascii is ten times faster than a loop.
    contents = a2b_qp(text.encode("ascii").replace(b"=", b"=3D").replace(b"%", b"="))
    if len(contents) != len(text) - 2 * text.count("%"):
        raise MalformedDataUrl("expected two hexadecimal digits after a percent sign")
    return contents
