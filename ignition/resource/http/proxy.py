# SPDX-License-Identifier: Apache-2.0
"""Choose the proxy of a request, by the rules of Go's `golang.org/x/net/http/httpproxy`.

`httpProxy` is used for `http:` URLs only, `httpsProxy` for `https:` URLs only. Loopback addresses are never
proxied. Environment variables are ignored.

Source: docs/reference/fetching.md, "Proxies".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition.resource.http.endpoint import ascii_name

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

__all__ = ["Proxies"]

DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class Proxies:
    """The proxy settings of a config.

    Attributes:
        http: URL of the proxy for `http://`; empty for none.
        https: URL of the proxy for `https://`; empty for none.
        exempt: `noProxy`: `*`, CIDR blocks, `address[:port]`, `domain[:port]` (the domain and
            its subdomains), `.domain` and `*.domain` (subdomains only).
    """

    http: str = ""
    https: str = ""
    exempt: tuple[str, ...] = ()

    def choose(self, scheme: str, host: str, port: int | None) -> str:
        """Return the URL of the proxy for a host (IPv6 without brackets); empty for a direct connection."""
        proxy = {"http": self.http, "https": self.https}.get(scheme, "")
        if not proxy:
            return ""
        host = host.lower()
        address = _address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return ""
        effective_port = str(port) if port is not None else DEFAULT_PORTS[scheme]
        entries = (entry for text in self.exempt for entry in text.split(","))
        is_exempt = any(_exempts(entry.strip().lower(), host, address, effective_port) for entry in entries)
        return "" if is_exempt else proxy


def _exempts(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: str) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _block_contains(entry, address)
    name, entry_port = _split_port(entry)
    if not name or (entry_port and entry_port != port):
        return False
    entry_address = _address(name)
    if entry_address is not None:
        return entry_address == address
    if address is not None:
        return False
    name = name.removeprefix("*") if name.startswith("*.") else name
    subdomains_only = name.startswith(".")
    try:
        name = ascii_name(name.removeprefix("."))
    except ValueError:
        return False  # an invalid name matches no host
    return host.endswith(f".{name}") or (host == name and not subdomains_only)


def _split_port(entry: str) -> tuple[str, str]:
    """Split `host:port` and `[v6]:port`; a bare IPv6 address has no port."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        return name, port.removeprefix(":")
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name else (entry, "")


def _block_contains(block: str, address: IPv4Address | IPv6Address | None) -> bool:
    from ipaddress import ip_network

    try:
        network = ip_network(block, strict=False)
    except ValueError:
        return False  # not a CIDR block; the reference ignores such an entry, too
    return address is not None and address.version == network.version and address in network


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address, an IPv4-mapped IPv6 address as IPv4; None for a host name."""
    if not text or not (text[0].isdigit() or ":" in text):
        return None
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
