"""`data:` URLs: contents that travel inside the config.

The grammar is the reference's subset of RFC 2397, stricter than browsers: the
prefix and `base64` are lower case, base64 has its padding, and what is not base64
may hold only characters that a URL may hold.

Source: config-spec section 11.2.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from functools import lru_cache

__all__ = ["MalformedDataUrl", "decode", "encode"]


class MalformedDataUrl(ValueError):
    """The text is no `data:` URL; the message says why and never quotes the text."""


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
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def decode(url: str) -> bytes:
    """The contents of a `data:` URL.

    Raises:
        MalformedDataUrl: the text is none.
    """
    if not url.startswith("data:"):
        raise MalformedDataUrl("it does not start with `data:`")
    head = _HEAD.match(url)
    if head is None:
        if "," not in url:
            raise MalformedDataUrl("the comma before the data is missing")
        raise MalformedDataUrl("the media type or a parameter before the comma is malformed")
    if head["base64"]:
        return _decode_base64(url[head.end() :])
    return _decode_plain(url[head.end() :])


def encode(contents: bytes) -> str:
    """A `data:` URL that decodes to the contents."""
    return "data:;base64," + b2a_base64(contents, newline=False).decode("ascii")


def _decode_base64(text: str) -> bytes:
    if not _BASE64.fullmatch(text):
        raise MalformedDataUrl("the data is not standard base64")
    if len(text) % 4:
        raise MalformedDataUrl("the padding of the base64 data is wrong")
    return a2b_base64(text)


def _decode_plain(text: str) -> bytes:
    if not _PLAIN.fullmatch(text):
        raise MalformedDataUrl("the data holds a character that must be percent-encoded")
    if _BAD_ESCAPE.search(text):
        raise MalformedDataUrl("a percent sign is not followed by two hexadecimal digits")
    if "%" not in text:
        return text.encode("ascii")
    first, *escaped = text.encode("ascii").split(b"%")
    codes = _codes()
    return first + b"".join([codes[part[:2]] + part[2:] for part in escaped])


@lru_cache(maxsize=1)
def _codes() -> dict[bytes, bytes]:
    """The two digits of each percent-encoded byte, in every spelling, and the byte: a lookup is quicker."""
    digits = "0123456789abcdefABCDEF"
    return {f"{a}{b}".encode("ascii"): bytes((int(a + b, 16),)) for a in digits for b in digits}
