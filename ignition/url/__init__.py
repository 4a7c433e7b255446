# SPDX-License-Identifier: Apache-2.0
"""Parse URLs by the rules of Go's `net/url`.

The reference validates configs by these rules, which differ from `urllib.parse`: an invalid percent escape,
a space in the host or a port that is not a number makes a URL invalid, while `http:` and a space in the path
are valid. Source: docs/reference/config-language.md, "URLs".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["REMOTE_SCHEMES", "SCHEMES", "MalformedUrl", "Url", "parse_url"]

REMOTE_SCHEMES: Final = frozenset({"http", "https", "tftp", "s3", "arn", "gs"})
"""URL schemes of sources that need the network."""

SCHEMES: Final = REMOTE_SCHEMES | {"data"}
"""URL schemes that a source may have; docs/reference/config-language.md, "URLs"."""


class MalformedUrl(ValueError):
    """The text is not a valid URL; the message does not contain the text."""


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL, still escaped; the scheme is in lower case."""

    scheme: str
    opaque: str = ""
    userinfo: str | None = None
    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""

    def first(self, parameter: str) -> str | None:
        """Return the decoded first value of a query parameter, or None.

        Pairs that cannot be decoded, or that contain a semicolon, are ignored.
        """
        for pair in self.query.split("&"):
            name, _, value = pair.partition("=")
            if ";" in pair or _BAD_ESCAPE.search(pair):
                continue
            if _unquote_plus(name) == parameter:
                return _unquote_plus(value)
        return None


_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(?::[0-9]*)?")
_HOST_CHARACTER = r"[^\x00-\x20#%/?@\\^`{|}\x7f]"
_HOST = re.compile(rf"(?:{_HOST_CHARACTER}|%25|%[89A-Fa-f][0-9A-Fa-f])*")
"""A host, where only non-ASCII bytes and the percent sign may be escaped."""
_ZONE = re.compile(
    rf"(?:{_HOST_CHARACTER}|%25|%20|%[89A-Fa-f][0-9A-Fa-f]"
    r"|%(?:2[1246789A-Ea-e]|3[0-9A-Ea-e]|4[1-9A-Fa-f]|5[0-9AaBbDdFf]|6[1-9A-Fa-f]|7[0-9AaEe]))*"
)


def parse_url(text: str) -> Url:
    """Split a URL into its parts.

    Raises:
        MalformedUrl: the text is not a valid URL.
    """
    rest, _, fragment = text.partition("#")
    if _CONTROL.search(rest):
        raise MalformedUrl("contains a control character")
    _check_escapes(fragment)
    if rest.startswith(":"):
        raise MalformedUrl("missing scheme before the colon")
    match = _SCHEME.match(rest)
    scheme = match.group()[:-1].lower() if match else ""
    rest, _, query = rest[match.end() if match else 0 :].partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, opaque=rest, query=query, fragment=fragment)
        if ":" in rest.partition("/")[0]:
            raise MalformedUrl("invalid scheme before the colon")
    userinfo, host = None, ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        userinfo, host = _split_authority(authority)
        rest = slash + path
    _check_escapes(rest)
    return Url(scheme, userinfo=userinfo, host=host, path=rest, query=query, fragment=fragment)


def _split_authority(authority: str) -> tuple[str | None, str]:
    userinfo, at, host = authority.rpartition("@")
    _check_host(host)
    if not at:
        return None, host
    if not _USERINFO.fullmatch(userinfo):
        raise MalformedUrl("the user name or password contains a character that must be percent-encoded")
    _check_escapes(userinfo)
    return userinfo, host


def _check_host(host: str) -> None:
    if host.startswith("["):
        address, bracket, port = host.rpartition("]")
        if not bracket:
            raise MalformedUrl("unterminated bracket around the address of the host")
        _check_port(port)
        address, percent, zone = address.partition("%25")
        if percent:
            if not _ZONE.fullmatch(zone):
                raise MalformedUrl("the zone of the address of the host contains an invalid character")
            host = address + "]" + port
    else:
        _, colon, port = host.rpartition(":")
        _check_port(colon + port if colon else "")
    _check_escapes(host)
    if not _HOST.fullmatch(host):
        raise MalformedUrl("the host contains an invalid character")


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise MalformedUrl("the port is not a number")


def _check_escapes(text: str) -> None:
    if _BAD_ESCAPE.search(text):
        raise MalformedUrl("expected two hexadecimal digits after a percent sign")


def _unquote_plus(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    from urllib.parse import unquote_plus

    return unquote_plus(text)
