# SPDX-License-Identifier: Apache-2.0
"""Host, port, Host header and request URL of an http(s) URL."""

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
        zone: the zone of an IPv6 address (RFC 6874), an interface name; empty for none.
        port: the port in the URL; None means the scheme's default.
    """

    name: str
    zone: str
    port: int | None

    @classmethod
    def of(cls, parts: Url, url: str) -> Host:
        """Parse the host of a URL; `url` is for messages.

        Raises:
            FetchError: the URL has no host, or the host or port is invalid.
        """
        if not parts.host:
            raise FetchError(f"{redact(url)}: the URL has no host")
        text, port = _split_port(parts.host, url)
        name, zone = _without_zone(text) if ":" in text else (_ascii(text, url), "")
        return cls(name, zone, port)

    @property
    def dialled(self) -> str:
        """The name for the resolver, with the zone."""
        return f"{self.name}%{self.zone}" if self.zone else self.name


@dataclass(frozen=True)
class Target:
    """The parts of an http(s) URL that a request needs.

    Attributes:
        scheme: http or https.
        host: ASCII name, or address without brackets but with its zone.
        port: the port in the URL; None means the scheme's default.
        userinfo: the text before the `@`, percent-encoded; None without an `@`.
        authority: the value of the Host header, without userinfo and zone.
        wire: the URL without userinfo and fragment.
    """

    scheme: str
    host: str
    port: int | None
    userinfo: str | None
    authority: str
    wire: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Parse the URL.

        Raises:
            FetchError: the URL is invalid or not http(s).
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
        with_zone = f"[{host.name}%25{host.zone}]" if host.zone else shown
        return cls(
            scheme=parts.scheme,
            host=host.dialled,
            port=host.port,
            userinfo=parts.userinfo,
            authority=f"{shown}{suffix}",
            wire=f"{parts.scheme}://{with_zone}{suffix}{_path_and_query(parts)}",
        )

    def may_receive_headers_of(self, other: Target) -> bool:
        """Whether a redirect from `other` to this target keeps the headers of the config and credentials.

        True for the same scheme, host and port, and for the same host from http on port 80 to https on port
        443.
        """
        if self.host.lower() != other.host.lower():
            return False
        if (self.scheme, self._effective_port) == (other.scheme, other._effective_port):
            return True
        schemes_and_ports = (other.scheme, other._effective_port, self.scheme, self._effective_port)
        return schemes_and_ports == ("http", 80, "https", 443)

    @property
    def _effective_port(self) -> int:
        return PORTS[self.scheme] if self.port is None else self.port


def _split_port(authority: str, url: str) -> tuple[str, int | None]:
    """Return the host without brackets, and the port; None without a port."""
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
    """Split an IPv6 address and its zone, which follows an escaped percent sign (RFC 6874)."""
    host, _, zone = address.partition("%25")
    return host, zone


def ascii_name(name: str) -> str:
    """Return the name in ASCII (IDNA) for the resolver and the Host header.

    Raises:
        ValueError: the name is not a valid international name.
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
    """Return path and query as in the URL; a percent sign in the query that starts no escape is escaped."""
    query = re.sub("%(?![0-9A-Fa-f]{2})", "%25", parts.query)
    return f"{parts.path or '/'}{'?' if query else ''}{query}"
