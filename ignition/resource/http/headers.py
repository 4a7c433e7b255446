"""What headers say and how they are written: those that a config gives, and those of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ignition.errors import FetchError
from ignition.resource.http.endpoint import Target

__all__ = ["basic", "canonical", "content_length", "content_range", "is_framed", "is_name", "retry_after"]

NOT_SENDABLE: Final = frozenset({"Host", "Content-Length", "Transfer-Encoding", "Trailer"})
"""Headers that belong to the transport; set by a config they have no effect, as in the reference."""

LONGEST_WAIT: Final = 60.0
"""Seconds that a server may ask for with Retry-After; more is not waited."""

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

_LENGTH: Final = re.compile(r"(\d{1,18})(?:\s*,\s*\1)*")
_RANGE: Final = re.compile(r"bytes (\d{1,18})-\d+/(?:(\d{1,18})|\*)", re.IGNORECASE)


def canonical(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header names in the form in which they are sent (`x-a` is `X-A`), values without blanks around.

    Of several with one name the last counts; those of the transport are left out.
    Values are secret, so no message quotes one, nor what is no name and may be a whole
    header. Source: config-spec section 11.5.

    Raises:
        FetchError: a name or a value is empty or cannot be sent.
    """
    made = {}
    for name, value in headers:
        if not is_name(name):
            raise FetchError(
                "the name of an HTTP header is empty or contains an invalid character",
                hint="put the text before the colon into `name`, the text after it into `value`",
            )
        value = value.strip(" \t")
        if not value or any((ord(c) < 0x20 and c != "\t") or ord(c) == 0x7F for c in value):
            raise FetchError(f"the value of HTTP header {name} is empty or contains a control character")
        sent = "-".join(word.capitalize() for word in name.split("-"))
        if sent not in NOT_SENDABLE:
            made[sent] = _on_the_wire(value.encode())
    return made


def is_name(text: str) -> bool:
    """Whether a header can have this name."""
    return bool(text) and set(text) <= _TOKEN


def _on_the_wire(value: bytes) -> str:
    """Bytes as http.client wants them: as the text that they would be in Latin-1."""
    return value.decode("latin-1")


def basic(url: str) -> dict[str, str]:
    """The `Authorization` that `user:password@` in a URL stands for."""
    userinfo = Target.of(url).userinfo
    if userinfo is None:
        return {}
    from binascii import b2a_base64
    from urllib.parse import unquote_to_bytes

    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return {"Authorization": "Basic " + b2a_base64(pair, newline=False).decode("ascii")}


def is_framed(headers: Mapping[str, str]) -> bool:
    """Whether it can be told where the body ends: by chunks, by a length that is one, or by the connection.

    A body whose end is not what its server takes for it would be stored cut off, or with the
    marks between its chunks.
    """
    encoding = headers.get("Transfer-Encoding", "")
    if encoding:
        return encoding.lower() == "chunked"
    return "Content-Length" not in headers or content_length(headers) is not None


def content_length(headers: Mapping[str, str]) -> int | None:
    """The length of the body, if the server gives one; it may give it twice."""
    if "Transfer-Encoding" in headers:
        return None
    found = _LENGTH.fullmatch(headers.get("Content-Length", ""))
    return int(found[1]) if found else None


def content_range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Where a partial answer begins, and the size of the whole if the server knows it."""
    found = _RANGE.fullmatch(headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2]) if found[2] else None) if found else None


def retry_after(headers: Mapping[str, str]) -> float:
    """How long the server asks to be left alone, in seconds, at most `LONGEST_WAIT`; 0 if it does not.

    A date is compared with the server's own, for this machine's clock may be wrong.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return 0.0
    if value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    from email.utils import parsedate_to_datetime

    try:
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):  # no dates, or one with a time zone and one without
        return 0.0
    return min(max(0.0, pause.total_seconds()), LONGEST_WAIT)
