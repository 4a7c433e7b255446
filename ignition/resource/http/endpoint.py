"""Whom an http(s) URL talks to, and how the request line and the Host header name it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ignition.errors import FetchError
from ignition.resource.redact import redact
from ignition.url import MalformedUrl, Url, parse_url

__all__ = ["Host", "Target", "ascii_name"]

PORTS: Final = {"http": 80, "https": 443}
HIGHEST_PORT: Final = 65535


@dataclass(frozen=True)
class Host:
    """The host and port of a URL.

    Attributes:
        name: ASCII name, or address without brackets and zone.
        zone: the interface that an IPv6 address belongs to; empty for none.
        port: as the URL gives it; none means the scheme's own.
    """

    name: str
    zone: str
    port: int | None

    @classmethod
    def of(cls, parts: Url, url: str) -> Host:
        """Take the host of a URL apart; `url` is for messages.

        Raises:
            FetchError: there is none, or it cannot be asked.
        """
        if not parts.host:
            raise FetchError(f"{redact(url)}: the URL has no host")
        text, port = _split_port(parts.host, url)
        name, zone = _without_zone(text) if ":" in text else (_ascii(text, url), "")
        return cls(name, zone, port)

    @property
    def dialled(self) -> str:
        """The name as the resolver takes it."""
        return f"{self.name}%{self.zone}" if self.zone else self.name


@dataclass(frozen=True)
class Target:
    """An http(s) URL, ready to be asked.

    Attributes:
        scheme: http or https.
        host: ASCII name, or address without brackets but with its zone.
        port: as the URL gives it; none means the scheme's own.
        userinfo: what stands before the `@`, still escaped.
        authority: the value of the Host header: no user, no zone.
        wire: the URL without user and fragment.
    """

    scheme: str
    host: str
    port: int | None
    userinfo: str | None
    authority: str
    wire: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Take the URL apart.

        Raises:
            FetchError: it cannot be asked.
        """
        try:
            parts = parse_url(url)
        except MalformedUrl as caught:
            raise FetchError(f"{redact(url)} is not a URL: {caught}") from caught
        if parts.scheme not in PORTS:
            raise FetchError(f"{redact(url)}: found {parts.scheme or 'no scheme'}, expected http or https")
        host = Host.of(parts, url)
        shown = f"[{host.name}]" if ":" in host.name else host.name
        suffix = f":{host.port}" if host.port is not None else ""
        asked = f"[{host.name}%25{host.zone}]" if host.zone else shown
        return cls(
            scheme=parts.scheme,
            host=host.dialled,
            port=host.port,
            userinfo=parts.userinfo,
            authority=f"{shown}{suffix}",
            wire=f"{parts.scheme}://{asked}{suffix}{_path_and_query(parts)}",
        )

    def may_know_what_was_sent_to(self, other: Target) -> bool:
        """Whether a redirect from `other` to here may take headers and credentials along.

        The same host and port may; so may the same host when it moves from http to
        https, each on its own port.
        """
        if self.host.lower() != other.host.lower():
            return False
        if (self.scheme, self._real_port) == (other.scheme, other._real_port):
            return True
        return (other.scheme, other._real_port, self.scheme, self._real_port) == ("http", 80, "https", 443)

    @property
    def _real_port(self) -> int:
        return PORTS[self.scheme] if self.port is None else self.port


def _split_port(authority: str, url: str) -> tuple[str, int | None]:
    """Host without brackets, and port."""
    if authority.startswith("["):
        host, _, rest = authority[1:].rpartition("]")
        digits = rest.removeprefix(":")
    else:
        host, _, digits = authority.partition(":")
    if not digits:
        return host, None
    number = digits.lstrip("0") or "0"
    if len(number) > 5 or int(number) > HIGHEST_PORT:
        raise FetchError(f"{redact(url)}: the port is above {HIGHEST_PORT}")
    return host, int(number)


def _without_zone(address: str) -> tuple[str, str]:
    """The interface's name stands behind an escaped percent sign (RFC 6874)."""
    host, _, zone = address.partition("%25")
    return host, zone


def ascii_name(name: str) -> str:
    """The name as the resolver and the Host header take it.

    Raises:
        ValueError: it is no valid international name.
    """
    if name.isascii():
        return name
    from ignition.lazy import requires

    with requires("international host names", "idna"):
        import idna
    return idna.encode(name, uts46=True).decode("ascii")


def _ascii(name: str, url: str) -> str:
    if "%" in name:
        from urllib.parse import unquote

        name = unquote(name)
    try:
        return ascii_name(name)
    except ValueError as caught:
        raise FetchError(f"{redact(url)}: the host is not a valid international name") from caught


def _path_and_query(parts: Url) -> str:
    """As they stand in the URL; a percent sign in the query that escapes nothing is escaped itself."""
    query = re.sub("%(?![0-9A-Fa-f]{2})", "%25", parts.query)
    return f"{parts.path or '/'}{'?' if query else ''}{query}"
