# SPDX-License-Identifier: Apache-2.0
"""Network settings of a config, embedded certificate authorities, and `follow`."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from hashlib import sha512
from typing import Any
from urllib.parse import quote

import pytest

from ignition.config.fetching import configured, embed_authorities, follow
from ignition.configpath import format_path
from ignition.errors import FetchError, TimedOut
from ignition.resource import Fetcher, Settings
from ignition.schemas.config import Config
from ignition.schemas.ignition import Ignition, Proxy, Security, Timeouts, Tls
from ignition.schemas.resource import HttpHeader, Resource, Verification
from ignition.url.dataurl import decode
from tests.lab.server import HttpServer

AUTHORITY = "$.ignition.security.tls.certificateAuthorities.0"
BUNDLE = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"one") + b"\n-----END CERTIFICATE-----\n"


def config(authority: str | Resource = "", *, total: int | None = None, proxy: str | None = None) -> Config:
    resource = Resource(source=authority) if isinstance(authority, str) else authority
    authorities = (resource,) if resource.source else ()
    return Config(
        ignition=Ignition(
            timeouts=Timeouts(http_total=total),
            proxy=Proxy(http_proxy=proxy, no_proxy=("a.example",)),
            security=Security(tls=Tls(certificate_authorities=authorities)),
        )
    )


def settings_of(config: Config, fetcher: Fetcher) -> Settings:
    return configured(fetcher, config).settings


def test_settings_of_config_without_network_section_are_defaults() -> None:
    assert settings_of(Config(), Fetcher(Settings(total=5, http_proxy="http://other"))) == Settings()


def test_settings_are_taken_from_config() -> None:
    settings = settings_of(config(total=7, proxy="http://proxy.example"), Fetcher())
    assert (settings.total, settings.http_proxy, settings.no_proxy) == (
        7,
        "http://proxy.example",
        ("a.example",),
    )


def test_authorities_are_fetched_through_proxy_of_same_config() -> None:
    with HttpServer() as server:
        server.answer("http://files.example/ca.pem", BUNDLE)
        settings = settings_of(config("http://files.example/ca.pem", proxy=server.url("")), Fetcher())
    assert settings.certificate_authorities == (BUNDLE,)


def test_authorities_are_fetched_within_time_limit_of_same_config() -> None:
    with pytest.raises(TimedOut) as caught:
        settings_of(config("http://127.0.0.1:1/ca.pem", total=1), Fetcher())
    assert format_path(caught.value.path or ()) == AUTHORITY


def test_authorities_of_previous_config_are_dropped() -> None:
    earlier = Fetcher(Settings(certificate_authorities=(BUNDLE,)))
    assert settings_of(config(total=1), earlier).certificate_authorities == ()


def test_embedded_authority_is_data_url_with_same_hash() -> None:
    verification = Verification(hash=f"sha512-{sha512(BUNDLE).hexdigest()}")
    with HttpServer() as server:
        bundle = Resource(
            source=server.answer("/ca.pem", gzip.compress(BUNDLE)),
            compression="gzip",
            verification=verification,
            http_headers=(HttpHeader(name="A", value="b"),),
        )
        embedded = embed_authorities(config(bundle), Fetcher())
    (authority,) = embedded.ignition.security.tls.certificate_authorities
    assert decode(authority.source or "") == BUNDLE
    assert (authority.compression, authority.http_headers) == (None, ())
    assert authority.verification == verification


def test_embedding_unreachable_authority_fails_with_its_path() -> None:
    with pytest.raises(FetchError) as raised:
        embed_authorities(config("ftp://ca.example/ca.pem"), Fetcher())
    assert format_path(raised.value.path or ()) == AUTHORITY


def document(**ignition: Any) -> bytes:
    return json.dumps({"ignition": {"version": "3.4.0", **ignition}}).encode()


def test_follow_uses_settings_of_child_config_for_later_fetches() -> None:
    """The second child is only reachable through the proxy that the first one sets."""
    with HttpServer() as server:
        first = server.answer("/first.ign", document(proxy={"httpProxy": server.url("")}))
        server.answer("http://files.example/second.ign", document(timeouts={"httpTotal": 9}))
        sources = [{"source": first}, {"source": "http://files.example/second.ign"}]
        followed = follow(document(config={"merge": sources}), "user.ign", Fetcher())
        proxy = server.url("")
    assert [each.source.url for each in followed.rendered.every] == [each["source"] for each in sources]
    assert [each.data[:12] for each in followed.rendered.every] == [b'{"ignition":'] * 2
    assert (followed.fetcher.settings.http_proxy, followed.fetcher.settings.total) == (proxy, 9)


def test_follow_logs_digest_and_warnings_only_if_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ignition")
    child = "data:," + quote(json.dumps({"ignition": {"version": "3.4.0"}, "storag": {}}))
    data = document(config={"merge": [{"source": child}]})
    follow(data, "user.ign", Fetcher())
    assert caplog.messages == []
    follow(data, "user.ign", Fetcher(), logged=True)
    digest, warning = caplog.messages
    assert digest == f"user.ign: SHA-512 of the config is {sha512(data).hexdigest()}"
    assert warning.endswith("unused key storag")
