"""`data:` URLs: contents that travel inside the config.

The grammar is the reference's subset of RFC 2397, stricter than browsers: the
prefix and `base64` are lower case, base64 has its padding, and what is not base64
may hold only characters that a URL may hold.

Source: config-spec section 11.2.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp, b2a_base64

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
    if len(text) % 4 or text.endswith("==="):
        raise MalformedDataUrl("the padding of the base64 data is wrong")
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError as caught:
        raise MalformedDataUrl("the data is not standard base64") from caught


def _decode_plain(text: str) -> bytes:
    if not _PLAIN.fullmatch(text):
        raise MalformedDataUrl("the data holds a character that must be percent-encoded")
    # Quoted-printable writes "=41" for "%41", and binascii takes a tenth of the time of a loop.
    contents = a2b_qp(text.encode("ascii").replace(b"=", b"=3D").replace(b"%", b"="))
    if len(contents) != len(text) - 2 * text.count("%"):
        raise MalformedDataUrl("a percent sign is not followed by two hexadecimal digits")
    return contents
