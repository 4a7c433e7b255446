# SPDX-License-Identifier: Apache-2.0
"""Build request headers and parse response headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ignition.errors import FetchError
from ignition.resource.http.endpoint import Target

__all__ = ["basic", "canonical", "content_length", "content_range", "is_framed", "is_name", "retry_after"]

NOT_SENDABLE: Final = frozenset({"Host", "Content-Length", "Transfer-Encoding", "Trailer"})
"""Headers that the transport sets; those of a config are ignored, as in the reference."""

LONGEST_WAIT: Final = 60.0
"""Maximum delay in seconds for Retry-After."""

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

_LENGTH: Final = re.compile(r"(\d{1,18})(?:\s*,\s*\1)*")
_RANGE: Final = re.compile(r"bytes (\d{1,18})-\d+/(?:(\d{1,18})|\*)", re.IGNORECASE)


def canonical(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers with canonical names (`x-a` becomes `X-A`) and values without surrounding blanks.

    The last of several headers with the same name is used. Headers of the transport are dropped. Values are
    secret, so no message quotes them; neither does it quote invalid names, which may contain a whole header.
    Source: docs/reference/config-language.md, "HTTP headers".

    Raises:
        FetchError: a name or a value is empty or has invalid characters.
    """
    result = {}
    for name, value in headers:
        if not is_name(name):
            raise FetchError(
                "the name of an HTTP header is empty or contains an invalid character",
                hint="put the text before the colon into `name`, the text after it into `value`",
            )
        value = value.strip(" \t")
        if not value or any((ord(c) < 0x20 and c != "\t") or ord(c) == 0x7F for c in value):
            raise FetchError(f"the value of HTTP header {name} is empty or contains a control character")
        canonical_name = "-".join(word.capitalize() for word in name.split("-"))
        if canonical_name not in NOT_SENDABLE:
            result[canonical_name] = _as_latin1(value.encode())
    return result


def is_name(text: str) -> bool:
    """Whether the text is a valid header name, a token of RFC 9110 section 5.6.2."""
    return bool(text) and set(text) <= _TOKEN


def _as_latin1(value: bytes) -> str:
    """Decode bytes as Latin-1, in which http.client encodes headers, so the bytes are sent unchanged."""
    return value.decode("latin-1")


def basic(url: str) -> dict[str, str]:
    """Return the `Authorization` header (RFC 7617) for `user:password@` in a URL; empty without userinfo."""
    userinfo = Target.of(url).userinfo
    if userinfo is None:
        return {}
    from binascii import b2a_base64
    from urllib.parse import unquote_to_bytes

    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return {"Authorization": "Basic " + b2a_base64(pair, newline=False).decode("ascii")}


def is_framed(headers: Mapping[str, str]) -> bool:
    """Whether the end of the body is defined: by chunks, a valid length, or the end of the connection.

    With invalid framing (RFC 9112 section 6.3), a truncated body or the chunk headers would be stored.
    """
    encoding = headers.get("Transfer-Encoding", "")
    if encoding:
        return encoding.lower() == "chunked"
    return "Content-Length" not in headers or content_length(headers) is not None


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body; None if not known or invalid.

    A repeated header with the same value is accepted (RFC 9110 section 8.6).
    """
    if "Transfer-Encoding" in headers:
        return None
    match = _LENGTH.fullmatch(headers.get("Content-Length", ""))
    return int(match[1]) if match else None


def content_range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Return the offset of a partial response, and the size of the resource or None if it is not known."""
    match = _RANGE.fullmatch(headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2]) if match[2] else None) if match else None


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the delay of `Retry-After` in seconds, at most `LONGEST_WAIT`; 0 without a valid one.

    A date is compared with the `Date` of the response, because this machine's clock may be wrong.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return 0.0
    if value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    from email.utils import parsedate_to_datetime

    try:
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):  # an invalid date, or only one of the dates has a time zone
        return 0.0
    return min(max(0.0, pause.total_seconds()), LONGEST_WAIT)
