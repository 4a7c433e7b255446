# SPDX-License-Identifier: Apache-2.0
"""TLS trust, and the errors for servers that are not trusted."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from ignition.errors import FetchError, TimedOut
from ignition.host.source import Source
from ignition.resource import Fetcher, Settings, tls
from tests.lab.logged import Log
from tests.lab.server import HttpServer
from tests.resource.conftest import Authority, FakeClock, raw_server

pytestmark = pytest.mark.real_commands("openssl")

ONE = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"one") + b"\n-----END CERTIFICATE-----\n"
TWO = ONE.replace(base64.b64encode(b"one"), base64.b64encode(b"two"))


@pytest.mark.parametrize(
    ("bundle", "found"),
    [
        (ONE, (b"one",)),
        (ONE + TWO, (b"one", b"two")),
        (ONE + b"\n\n  \n", (b"one",)),  # blank lines after the last block are an error in the reference
        (b"# a comment\n" + ONE + b"\ntext between\n" + TWO + b"text after", (b"one", b"two")),
        (ONE.replace(b"\n", b"\r\n"), (b"one",)),
        (ONE.rstrip(), (b"one",)),
        (b"", ()),
        (ONE.replace(b"CERT", b"X509 CERT"), (b"one",)),
    ],
)
def test_bundle_is_split_into_certificates(bundle: bytes, found: tuple[bytes, ...]) -> None:
    assert tls.certificates(bundle) == found


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (b"just text", "contains no PEM certificate"),
        (b"\x30\x82\x01\x00", r"is DER, expected PEM"),
        (ONE.replace(b"CERTIFICATE", b"PRIVATE KEY"), "contains a private key, expected certificates only"),
        (ONE.replace(b"b25l", b"b25"), "damaged block"),
        (ONE + TWO.partition(b"-----END")[0], "contains an unterminated or damaged block"),
    ],
)
def test_invalid_bundle_is_refused_with_reason(bundle: bytes, why: str) -> None:
    with pytest.raises(FetchError, match=why) as caught:
        Fetcher(Settings(certificate_authorities=(ONE, bundle)))
    assert "b25l" not in str(caught.value)


def test_bundle_with_invalid_certificate_is_refused() -> None:
    with pytest.raises(FetchError, match="contains an invalid certificate"):
        tls.context((ONE,))


def fetch(url: str, *bundles: bytes) -> bytes:
    """Fetch with a few attempts: ten seconds of the fake clock."""
    settings = Settings(certificate_authorities=bundles, total=10)
    return Fetcher(settings, clock=FakeClock()).bytes(Source(url))


def refusal(url: str, *bundles: bytes) -> TimedOut:
    with pytest.raises(TimedOut) as caught:
        fetch(url, *bundles)
    return caught.value


def test_added_authority_is_trusted_and_logged(authority: Authority, logged: Log) -> None:
    with HttpServer(tls=authority.server("good")) as server:
        url = server.answer("/", b"over TLS")
        assert fetch(url, authority.bundle + b"\n\n") == b"over TLS"
        assert fetch(server.url("/", host="localhost"), authority.bundle) == b"over TLS"
    assert "trusting certificate authority Test Authority" in logged.of("info")


def test_unknown_authority_is_refused(authority: Authority) -> None:
    with HttpServer(tls=authority.server("good")) as server:
        url = server.answer("/", b"")
        fetch(url, authority.bundle)
        refused = refusal(url)
    assert "127.0.0.1 is not trusted: its certificate comes from an untrusted authority" in str(refused)
    assert "certificateAuthorities" in refused.hint


def test_added_self_signed_certificate_is_trusted(authority: Authority) -> None:
    authority.openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", "self.key", "-out", "self.pem", "-subj", "/CN=self", "-days", "3650",
        "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.directory / "self.pem", authority.directory / "self.key")
    with HttpServer(tls=context) as server:
        url = server.answer("/", b"own")
        assert fetch(url, (authority.directory / "self.pem").read_bytes()) == b"own"
        assert "is self-signed" in str(refusal(url))


def test_added_leaf_certificate_is_trusted(authority: Authority) -> None:
    """As in the reference, each certificate of a config is a trust anchor, root or not."""
    with HttpServer(tls=authority.server("leaf")) as server:
        url = server.answer("/", b"pinned")
        assert fetch(url, (authority.directory / "leaf.pem").read_bytes()) == b"pinned"


def test_certificate_for_other_name_is_refused(authority: Authority) -> None:
    with HttpServer(tls=authority.server("other", subject="DNS:elsewhere.example")) as server:
        assert "its certificate is for another name" in str(
            refusal(server.url("/", host="localhost"), authority.bundle)
        )
        assert "its certificate is not for this address" in str(refusal(server.url("/"), authority.bundle))


def test_common_name_is_ignored(authority: Authority) -> None:
    """The server's certificate has CN=ignored; only subjectAltName is used, as in the reference."""
    with HttpServer(tls=authority.server("plain", subject="DNS:elsewhere.example")) as server:
        assert "another name" in str(refusal(server.url("/", host="localhost"), authority.bundle))


def test_expired_certificate_is_refused_with_clock(authority: Authority) -> None:
    with HttpServer(tls=authority.server("old", end="20200102000000Z")) as server:
        refused = refusal(server.url("/"), authority.bundle)
    assert f"its certificate has expired (the clock shows {tls.clock()[:4]}" in str(refused)


def test_not_yet_valid_certificate_is_refused_with_clock(authority: Authority) -> None:
    with HttpServer(tls=authority.server("new", start="20980101000000Z")) as server:
        refused = refusal(server.url("/"), authority.bundle)
    assert "its certificate is not yet valid (the clock shows 20" in str(refused)


def test_not_yet_valid_certificate_with_wrong_clock_names_clock(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "built", lambda: 5_000_000_000.0)  # a build time in 2128, so today is before it
    monkeypatch.setattr(tls, "clock", lambda: "1970-01-01 01:00 UTC")
    with HttpServer(tls=authority.server("new", start="20980101000000Z")) as server:
        refused = refusal(server.url("/"), authority.bundle)
    assert (
        "not yet valid, because this machine's clock is wrong (the clock shows 1970-01-01 01:00 UTC)"
        in str(refused)
    )
    assert "set the clock" in refused.hint


@pytest.mark.parametrize("dates", [{"start": "20980101000000Z"}, {"end": "20200102000000Z"}])
def test_certificate_date_error_is_logged_once_as_clock_advances(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, logged: Log, dates: dict[str, str]
) -> None:
    """The time in the message is a detail; otherwise a lasting failure would be a new cause each minute."""
    times = iter(range(1000))
    monkeypatch.setattr(tls, "clock", lambda: f"12:{next(times):02}")
    with HttpServer(tls=authority.server("dated", **dates)) as server:
        refused = refusal(server.url("/"), authority.bundle)
    assert "(the clock shows 12:0" in str(refused)
    assert sum("error: " in line for line in logged.of("info")) == 1


def test_server_without_tls_is_refused(server: HttpServer) -> None:
    assert "does not speak TLS on that port" in str(refusal(server.url("/").replace("http:", "https:")))


def test_silent_handshake_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from ignition.resource.http import transport

    monkeypatch.setattr(transport, "HANDSHAKE", 0.1)
    ended = threading.Event()

    def be_silent(_: socket.socket) -> None:
        ended.wait(20)

    with raw_server(be_silent) as port:
        refused = refusal(f"https://127.0.0.1:{port}/")
        ended.set()
    assert "127.0.0.1 does not answer the TLS handshake" in str(refused)


def test_bundle_of_environment_is_ignored(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority.directory / "ca.pem"))
    with HttpServer(tls=authority.server("good")) as server:
        assert "is not trusted" in str(refusal(server.url("/")))


def test_system_bundle_is_trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "system_bundle", lambda: str(authority.directory / "ca.pem"))
    with HttpServer(tls=authority.server("good")) as server:
        assert fetch(server.answer("/", b"by the system")) == b"by the system"


def test_clock_of_test_machine_is_plausible() -> None:
    assert tls.clock_is_plausible()


@pytest.mark.parametrize("dated", [tls.WRITTEN + 1_000_000, 0])
def test_clock_before_build_time_is_implausible(
    dated: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "tls.pyc"
    module.touch()
    os.utime(module, (dated, dated))
    monkeypatch.setattr(tls, "__file__", str(module))
    assert tls.built() == max(dated, tls.WRITTEN)
    monkeypatch.setattr(time, "time", lambda: tls.built() - 1)
    assert not tls.clock_is_plausible()
    monkeypatch.setattr(time, "time", lambda: tls.built())
    assert tls.clock_is_plausible()


def test_build_time_without_module_file_is_lower_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls, "__file__", "/nonexistent/tls.pyc")
    assert tls.built() == tls.WRITTEN


def test_system_bundle_is_found() -> None:
    assert tls.system_bundle() == "/etc/ssl/certs/ca-certificates.crt"


def test_tls_connection_is_reused(authority: Authority) -> None:
    context = authority.server("good")
    with HttpServer(tls=context) as server:
        url = server.answer("/", b"again")
        fetcher = Fetcher(Settings(certificate_authorities=(authority.bundle,)))
        for _ in range(5):
            fetcher.bytes(Source(url))
    assert context.session_stats()["accept"] == 1
