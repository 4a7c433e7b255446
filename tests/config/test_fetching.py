"""What a config says about fetching."""

from __future__ import annotations

import base64

import pytest

from ignition.config.fetching import settings_of
from ignition.configpath import format_path
from ignition.errors import TimedOut
from ignition.resource import Fetcher, Settings
from ignition.schemas.config import Config
from ignition.schemas.ignition import Ignition, Proxy, Security, Timeouts, Tls
from ignition.schemas.resource import Resource
from tests.lab.server import HttpServer

BUNDLE = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"one") + b"\n-----END CERTIFICATE-----\n"


def config(authority: str = "", *, total: int | None = None, proxy: str | None = None) -> Config:
    authorities = (Resource(source=authority),) if authority else ()
    return Config(
        ignition=Ignition(
            timeouts=Timeouts(http_total=total),
            proxy=Proxy(http_proxy=proxy, no_proxy=("a.example",)),
            security=Security(tls=Tls(certificate_authorities=authorities)),
        )
    )


def test_what_is_not_said_is_the_default() -> None:
    assert settings_of(Config(), Fetcher(Settings(total=5, http_proxy="http://other"))) == Settings()


def test_what_is_said() -> None:
    settings = settings_of(config(total=7, proxy="http://proxy.example"), Fetcher())
    assert settings == Settings(total=7, http_proxy="http://proxy.example", no_proxy=("a.example",))


def test_authorities_come_through_the_config_s_own_proxy() -> None:
    with HttpServer() as server:
        server.answer("http://files.example/ca.pem", BUNDLE)
        settings = settings_of(config("http://files.example/ca.pem", proxy=server.url("")), Fetcher())
    assert settings.certificate_authorities == (BUNDLE,)


def test_authorities_are_waited_for_as_long_as_the_config_itself_says() -> None:
    with pytest.raises(TimedOut) as caught:
        settings_of(config("http://127.0.0.1:1/ca.pem", total=1), Fetcher())
    assert format_path(caught.value.path or ()) == "$.ignition.security.tls.certificateAuthorities.0"


def test_another_config_s_authorities_are_not_trusted_any_more() -> None:
    earlier = Fetcher(Settings(certificate_authorities=(BUNDLE,)))
    assert settings_of(config(total=1), earlier).certificate_authorities == ()
