# SPDX-License-Identifier: Apache-2.0
"""The choice of the proxy, by the rules of the reference."""

from __future__ import annotations

import pytest

from ignition.resource.http.proxy import Proxies

HTTP, HTTPS = "http://proxy:3128", "https://proxy:3129"


@pytest.mark.parametrize(
    ("scheme", "proxies", "chosen"),
    [
        ("http", Proxies(HTTP, HTTPS), HTTP),
        ("https", Proxies(HTTP, HTTPS), HTTPS),
        ("https", Proxies(http=HTTP), ""),
        ("http", Proxies(https=HTTPS), ""),
        ("http", Proxies(), ""),
    ],
)
def test_proxy_is_chosen_by_scheme_only(scheme: str, proxies: Proxies, chosen: str) -> None:
    assert proxies.choose(scheme, "example.com", None) == chosen


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
)
def test_loopback_is_never_proxied(host: str) -> None:
    assert Proxies(HTTP).choose("http", host, 8080) == ""


@pytest.mark.parametrize(
    ("exempt", "host", "port", "direct"),
    [
        ("*", "example.com", None, True),
        ("example.com", "example.com", None, True),
        ("EXAMPLE.com", "example.COM", None, True),
        ("example.com", "www.example.com", None, True),
        ("example.com", "notexample.com", None, False),
        (".example.com", "www.example.com", None, True),
        (".example.com", "example.com", None, False),
        ("*.example.com", "www.example.com", None, True),
        ("*.example.com", "example.com", None, False),
        ("example.com:8080", "example.com", 8080, True),
        ("example.com:8080", "example.com", None, False),
        ("example.com:80", "example.com", None, True),
        ("example.com:443", "example.com", None, False),
        ("10.0.0.1", "10.0.0.1", None, True),
        ("10.0.0.1", "10.0.0.11", None, False),
        ("10.0.0.1:81", "10.0.0.1", 81, True),
        ("10.0.0.1:81", "10.0.0.1", 82, False),
        ("10.0.0.0/8", "10.200.3.4", None, True),
        ("10.0.0.0/8", "11.0.0.1", None, False),
        ("10.0.0.0/8", "10.example.com", None, False),
        ("fd00::/8", "fd12::1", None, True),
        ("fd00::/8", "10.0.0.1", None, False),
        ("fd00::1", "fd00::1", None, True),
        ("[fd00::1]:80", "fd00::1", None, True),
        ("[fd00::1]:81", "fd00::1", None, False),
        ("[fd00::1]", "fd00::1", None, True),
        ("10.0.0.1", "::ffff:10.0.0.1", None, True),
        ("bücher.example", "xn--bcher-kva.example", None, True),
        ("bücher.example", "www.xn--bcher-kva.example", None, True),
        ("*.bücher.example", "www.xn--bcher-kva.example", None, True),
        ("*.bücher.example", "xn--bcher-kva.example", None, False),
        ("ü..example", "example", None, False),
        ("a.example, b.example", "b.example", None, True),
        ("not/a/block", "example.com", None, False),
        ("", "example.com", None, False),
        (":80", "example.com", None, False),
    ],
)
def test_no_proxy_entry_exempts_matching_hosts(
    exempt: str, host: str, port: int | None, direct: bool
) -> None:
    proxies = Proxies(HTTP, exempt=("unrelated.example", exempt))
    assert (proxies.choose("http", host, port) == "") is direct
