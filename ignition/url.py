"""URLs, read by the rules of Go's `net/url`.

Configs are judged by those rules, which differ from `urllib.parse` in both
directions: a bad percent escape, a blank in the host or a port that is no number
makes a URL invalid, while `http:` and a blank in the path are fine.

Source: config-spec section 11.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["MalformedUrl", "Url", "parse_url"]


class MalformedUrl(ValueError):
    """The text is no URL; the message says why and never quotes the text."""


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL, as they stand in the text except for the scheme's case."""

    scheme: str
    opaque: str = ""
    userinfo: str | None = None
    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""

    def first(self, parameter: str) -> str | None:
        """The first value of a query parameter, decoded; None if there is none.

        Pairs that cannot be decoded, or hold a semicolon, do not count.
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
"""Hosts may escape only what is not ASCII, and the percent sign itself."""
_ZONE = re.compile(
    rf"(?:{_HOST_CHARACTER}|%25|%20|%[89A-Fa-f][0-9A-Fa-f]"
    r"|%(?:2[1246789A-Ea-e]|3[0-9A-Ea-e]|4[1-9A-Fa-f]|5[0-9AaBbDdFf]|6[1-9A-Fa-f]|7[0-9AaEe]))*"
)


def parse_url(text: str) -> Url:
    """Take a URL apart.

    Raises:
        MalformedUrl: the text is no URL.
    """
    rest, _, fragment = text.partition("#")
    if _CONTROL.search(rest):
        raise MalformedUrl("it contains a control character")
    _check_escapes(fragment)
    if rest.startswith(":"):
        raise MalformedUrl("the scheme before the colon is missing")
    match = _SCHEME.match(rest)
    scheme = match.group()[:-1].lower() if match else ""
    rest, _, query = rest[match.end() if match else 0 :].partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, opaque=rest, query=query, fragment=fragment)
        if ":" in rest.partition("/")[0]:
            raise MalformedUrl("the part before the colon is no scheme")
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
        raise MalformedUrl("the user name or the password holds a character that must be escaped")
    _check_escapes(userinfo)
    return userinfo, host


def _check_host(host: str) -> None:
    if host.startswith("["):
        address, bracket, port = host.rpartition("]")
        if not bracket:
            raise MalformedUrl("the bracket around the host's address is not closed")
        _check_port(port)
        address, percent, zone = address.partition("%25")
        if percent:
            if not _ZONE.fullmatch(zone):
                raise MalformedUrl("the zone of the host's address holds an invalid character")
            host = address + "]" + port
    else:
        _, colon, port = host.rpartition(":")
        _check_port(colon + port if colon else "")
    _check_escapes(host)
    if not _HOST.fullmatch(host):
        raise MalformedUrl("the host holds an invalid character")


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise MalformedUrl("the port is not a number")


def _check_escapes(text: str) -> None:
    if _BAD_ESCAPE.search(text):
        raise MalformedUrl("a percent sign is not followed by two hexadecimal digits")


def _unquote_plus(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    from urllib.parse import unquote_plus

    return unquote_plus(text)
