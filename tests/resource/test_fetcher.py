# SPDX-License-Identifier: Apache-2.0
"""Fetcher: schemes, offline mode, data URLs, limits, hidden secrets."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from ignition import resource
from ignition.errors import FetchError, NeedNetwork, NotFound, VerificationFailed
from ignition.host import Fetch
from ignition.host.source import Source
from ignition.resource import Fetcher, Request, Settings, tls
from ignition.resource.store import MOST_WAITING
from tests.lab.server import Answer, HttpServer
from tests.resource.conftest import FakeClock, raw_server, read_request

PROJECT = Path(__file__).parents[2]


def test_fetcher_implements_fetch_protocol() -> None:
    fetch: Fetch = Fetcher()
    assert fetch.bytes(Source("data:,a%20b")) == b"a b"


def test_empty_url_is_zero_bytes_without_verification() -> None:
    assert Fetcher(offline=True).bytes(Source("", compression="gzip", hash="sha256-" + "0" * 64)) == b""


def test_data_url_is_decompressed_and_verified() -> None:
    url = "data:;base64,H4sIAAAAAAACA0tMSgYAwkEkNQMAAAA="
    digest = f"sha512-{hashlib.sha512(b'abc').hexdigest()}"
    assert Fetcher(offline=True).bytes(Source(url, compression="gzip", hash=digest)) == b"abc"
    with pytest.raises(VerificationFailed):
        Fetcher().bytes(Source("data:,abc", hash="sha512-" + "0" * 128))


def test_invalid_data_url_error_hides_data() -> None:
    with pytest.raises(FetchError, match="cannot decode the data URL") as caught:
        Fetcher().bytes(Source("data:;base64,c2VjcmV0!"))
    assert "c2Vj" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://u:secret@h/", "https://h/", "tftp://h/f", "s3://b/k", "foo://x", "foo"]
)
def test_offline_remote_url_raises_need_network(url: str) -> None:
    with pytest.raises(NeedNetwork) as caught:
        Fetcher(offline=True).bytes(Source(url))
    assert "secret" not in str(caught.value)
    with pytest.raises(NeedNetwork):
        Fetcher(offline=True).request(Request(url))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("tftp://h/", "names no file"),
        ("s3://bucket", "names no object"),
        ("gs://bucket/", "names no object"),
        ("arn:aws:s3:::bucket/", "names no object"),
        ("ARN:aws:ec2:::bucket/key", "is not an S3 ARN"),
        ("foo://x", "unsupported URL scheme foo:"),
        ("foo", "not a URL"),
    ],
)
def test_unsupported_or_incomplete_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        Fetcher().bytes(Source(url))


def test_unsupported_scheme_hint_lists_schemes() -> None:
    with pytest.raises(FetchError) as caught:
        Fetcher().bytes(Source("ftp://h/f"))
    assert caught.value.hint == "use one of arn:, data:, gs:, http:, https:, s3:, tftp:"


def test_request_with_other_scheme_than_http_is_refused() -> None:
    with pytest.raises(FetchError, match="unsupported URL scheme s3:"):
        Fetcher().request(Request("s3://bucket/key"))


def test_file_streams_decompressed_bytes_to_destination(server: HttpServer, tmp_path: Path) -> None:
    contents = os.urandom(3_000_000)
    url = server.answer("/f.gz", gzip.compress(contents, 1))
    source = Source(url, compression="gzip", hash=f"sha256-{hashlib.sha256(contents).hexdigest().upper()}")
    with open(tmp_path / "f", "w+b") as into:
        Fetcher().file(source, into)
    assert (tmp_path / "f").read_bytes() == contents


def test_with_settings_returns_independent_fetcher() -> None:
    first = Fetcher(Settings(total=1), offline=True)
    second = first.with_settings(Settings(total=2))
    assert (first.settings.total, second.settings.total, second.offline) == (1, 2, True)


def test_fetch_error_hides_credentials(server: HttpServer) -> None:
    url = server.answer("/a", Answer(status=403)).replace("http://", "http://user:secret@") + "?sig=secret"
    with pytest.raises(FetchError) as caught:
        Fetcher().bytes(Source(url, headers=(("Authorization", "Bearer secret"),)))
    assert "secret" not in str(caught.value)
    assert "403 Forbidden" in str(caught.value)


def test_repr_of_settings_and_requests_hides_secrets() -> None:
    settings = Settings(http_proxy="http://u:secret@p", certificate_authorities=())
    request = Request("http://u:secret@h", headers=(("X-Token", "secret"),), body=b"secret")
    assert "secret" not in repr(settings) + repr(Fetcher(settings)) + repr(request)


class TestRequest:
    """Requests of platform providers."""

    def test_put_returns_body_and_headers(self, server: HttpServer) -> None:
        url = server.answer("/token", Answer(b"t0ken", headers={"X-TTL": "60"}), method="PUT")
        response = Fetcher().request(Request(url, verb="PUT", headers=(("x-aws-ttl-seconds", "60"),)))
        assert (response.status, response.body, response.headers["x-ttl"]) == (200, b"t0ken", "60")
        (request,) = server.requests
        assert (request.method, request.headers["content-length"]) == ("PUT", "0")
        assert request.headers["x-aws-ttl-seconds"] == "60"

    def test_retry_sends_body_again(self, server: HttpServer) -> None:
        url = server.answer("/events", Answer(status=503), Answer(status=204), method="POST")
        Fetcher(clock=FakeClock()).request(Request(url, verb="POST", body=b'{"state":"ok"}'))
        assert [request.body for request in server.requests] == [b'{"state":"ok"}'] * 2

    def test_status_404_raises_not_found(self, server: HttpServer) -> None:
        with pytest.raises(NotFound):
            Fetcher().request(Request(server.url("/none")))

    def test_status_in_accept_is_returned(self, server: HttpServer) -> None:
        url = server.answer("/a", Answer(b"who are you?", status=401))
        response = Fetcher().request(Request(url, accept=frozenset({200, 401})))
        assert (response.status, response.body) == (401, b"who are you?")

    def test_status_in_also_retry_is_retried(self, server: HttpServer) -> None:
        url = server.answer("/a", Answer(status=404), Answer(status=410), b"now")
        request = Request(url, also_retry=frozenset({404, 410}))
        assert Fetcher(clock=FakeClock()).request(request).body == b"now"


def run_python(program: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout


@pytest.mark.real_commands
def test_data_url_fetch_imports_no_network_modules() -> None:
    loaded = run_python(
        "import sys; before = set(sys.modules)\n"
        "from ignition.resource import Fetcher; from ignition.host.source import Source\n"
        "Fetcher().bytes(Source('data:,x')); print(*sorted(set(sys.modules) - before))"
    ).split()
    heavy = {
        "requests",
        "urllib3",
        "ssl",
        "http",
        "email",
        "urllib",
        "hashlib",
        "zlib",
        "ipaddress",
        "idna",
    }
    assert heavy.isdisjoint(module.partition(".")[0] for module in loaded)


@pytest.mark.real_commands
def test_fetch_without_certifi_and_charset_detector_works(server: HttpServer) -> None:
    """The initramfs has neither charset_normalizer nor certifi; requests must not warn about that."""
    program = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'charset_normalizer', 'chardet', 'certifi', 'simplejson'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from ignition.resource import Fetcher; from ignition.host.source import Source\n"
        "print(Fetcher().bytes(Source(sys.argv[1])))\n"
        "import certifi; print(certifi.where())\n"
    )
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    assert run_python(program, server.answer("/", b"got")) == f"b'got'\n{bundle}\n"


@pytest.mark.real_commands
def test_library_log_lines_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs whole URLs with their signatures if the headers of a response are malformed."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header\r\n\r\nok")

    with raw_server(handle) as port:
        url = f"http://user:secret@127.0.0.1:{port}/f?sig=secret"
        assert Fetcher().bytes(Source(url)) == b"ok"
        assert "secret" in caplog.text  # urllib3 logged the URL, so this test is valid
        program = (
            "import sys; from ignition import log; log.setup(to_stdout=True)\n"
            "from ignition.resource import Fetcher; from ignition.host.source import Source\n"
            "print(Fetcher().bytes(Source(sys.argv[1])))\n"
        )
        output = run_python(program, url)
    assert "GET http://user:***@127.0.0.1" in output
    assert "b'ok'" in output
    assert "secret" not in output


def test_wrong_clock_raises_no_urllib3_warning() -> None:
    from urllib3.exceptions import SystemTimeWarning

    with warnings.catch_warnings():
        from ignition.resource.http.transport import Transport

        Transport(tls.context)
        assert ("ignore", None, SystemTimeWarning) in [each[:3] for each in warnings.filters]
        warnings.warn("System time is way off", SystemTimeWarning, stacklevel=1)


def test_fetcher_shared_by_threads_returns_each_resource(server: HttpServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    sources = []
    for number in range(40):
        contents = bytes([number]) * 50_000
        url = server.answer(f"/{number}", Answer(status=503), contents)
        sources.append(Source(url, hash=f"sha256-{hashlib.sha256(contents).hexdigest()}"))
    fetcher = Fetcher(clock=FakeClock())
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(fetcher.bytes, sources))
    assert got == [bytes([number]) * 50_000 for number in range(40)]


@pytest.mark.parametrize("parallel", [1, 8])
def test_large_files_stream_in_bounded_memory(server: HttpServer, parallel: int) -> None:
    import tracemalloc
    from concurrent.futures import ThreadPoolExecutor

    size = 64 * 2**20 // parallel
    digest = hashlib.sha256(bytes(size)).hexdigest()
    source = Source(server.answer("/large", bytes(size)), hash=f"sha256-{digest}")
    fetcher = Fetcher()
    fetcher.bytes(Source(server.answer("/small", b"")))

    def fetch(_: int) -> None:
        with open(os.devnull, "r+b") as into:
            fetcher.file(source, into)

    with ThreadPoolExecutor(parallel) as pool:
        tracemalloc.start()
        try:
            list(pool.map(fetch, range(parallel)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < parallel * (2 * MOST_WAITING + 2**20)


def test_resource_in_memory_above_limit_is_refused(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit, an endless config ends with the kernel's OOM killer and no error message."""
    monkeypatch.setattr(resource, "MOST_IN_MEMORY", 10 * 2**20)
    bomb = server.answer("/bomb", gzip.compress(bytes(10 * 2**20 + 1), 1))
    whole = server.answer("/whole", bytes(10 * 2**20))
    with pytest.raises(FetchError, match="/bomb: larger than 10 MiB"):
        Fetcher().bytes(Source(bomb, compression="gzip"))
    assert len(Fetcher().bytes(Source(whole))) == 10 * 2**20
    server.answer("/whole", bytes(10 * 2**20 + 1))
    with pytest.raises(FetchError, match="/whole: larger"):
        Fetcher().request(Request(whole))


def test_file_accepts_destination_in_memory(server: HttpServer) -> None:
    into = io.BytesIO()
    Fetcher().file(Source(server.answer("/a", b"abc")), into)
    assert into.getvalue() == b"abc"
