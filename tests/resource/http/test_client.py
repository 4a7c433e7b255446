# SPDX-License-Identifier: Apache-2.0
"""The HTTP client against a local server: requests, statuses, transport failures, proxies."""

from __future__ import annotations

import socket
import threading
import time
from io import BytesIO
from pathlib import Path

import pytest

from ignition.errors import FetchError, NotFound, TimedOut
from ignition.host.source import Source
from ignition.resource import Settings
from ignition.resource.http import client as http
from ignition.resource.http.client import Http
from ignition.resource.http.request import Request, Response
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink
from ignition.version import VERSION
from tests.lab.logged import Log
from tests.lab.server import Answer, HttpServer
from tests.resource.conftest import Authority, FakeClock, Get, raw_server, read_request

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class TestRequests:
    def test_default_headers_match_reference(self, server: HttpServer, get: Get) -> None:
        get(server.answer("/a", b""))
        (request,) = server.requests
        assert request.method == "GET"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": f"Ignition/{VERSION}",
            "accept": "application/vnd.coreos.ignition+json;version=3.6.0, */*;q=0.1",
            "accept-encoding": "identity",
        }

    def test_config_headers_replace_headers_of_same_name(self, server: HttpServer, get: Get) -> None:
        headers = (
            ("accept", "a/b"),
            ("x-token", "first"),
            ("X-TOKEN", " last\t"),
            ("x-ü".replace("ü", "u"), "ü"),
        )
        get(server.answer("/a", b""), headers=headers)
        (request,) = server.requests
        assert request.headers["accept"] == "a/b"
        assert request.headers["x-token"] == "last"
        assert request.headers["x-u"].encode("latin-1").decode() == "ü"
        assert "user-agent" in request.headers

    def test_header_names_are_sent_in_canonical_case(self, get: Get) -> None:
        heads: list[bytes] = []

        def handle(connection: socket.socket) -> None:
            heads.append(read_request(connection))
            connection.sendall(OK_HEAD + b"ok")

        with raw_server(handle) as port:
            get(f"http://127.0.0.1:{port}/", headers=(("x-aws-ec2-metadata-token-ttl-seconds", "60"),))
        assert b"\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\n" in heads[0]

    def test_userinfo_is_sent_as_basic_authentication(self, server: HttpServer, get: Get) -> None:
        url = server.answer("/a", b"").replace("//", "//us%40er:p%C3%A4ss@")
        get(url)
        assert server.requests[0].headers["authorization"] == "Basic dXNAZXI6cMOkc3M="
        get(url, headers=(("authorization", "Bearer t"),))
        assert server.requests[1].headers["authorization"] == "Bearer t"

    @pytest.mark.parametrize("verb", ["PUT", "POST"])
    def test_put_and_post_without_body_send_content_length_zero(
        self, verb: str, server: HttpServer, get: Get
    ) -> None:
        get(server.answer("/a", b""), verb=verb)
        assert (server.requests[0].method, server.requests[0].headers["content-length"]) == (verb, "0")

    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ("/a?b=%26+c&d=/?:@", "/a?b=%26+c&d=/?:@"),
            ("/a#fragment", "/a"),
            ("/a/../b//./c", "/a/../b//./c"),
            ("/%2Fa%20b", "/%2Fa%20b"),
            ("/a b", "/a%20b"),
            ("/ü?ü", "/%C3%BC?%C3%BC"),
            ("/?id=${uuid}", "/?id=$%7Buuid%7D"),
            ("/?a=100%&b=%20", "/?a=100%25&b=%20"),
            ("", "/"),
            ("?a", "/?a"),
        ],
    )
    def test_request_target_is_escaped_path_and_query(
        self, written: str, sent: str, server: HttpServer, get: Get
    ) -> None:
        server.respond(sent.partition("?")[0], lambda _: Answer(b"x"))
        assert get(server.url(written)) == b"x"
        assert server.requests[0].target == sent

    def test_ipv6_address_with_zone_is_fetched(self, get: Get) -> None:
        with HttpServer(host="::1") as server:
            server.answer("/", b"six")
            assert get(server.url("/")) == b"six"
            # A numeric zone: the C library accepts names of interfaces only for link-local addresses.
            zone = socket.if_nametoindex("lo")
            assert get(server.url("/", host=f"[::1%25{zone}]")) == b"six"
            assert {request.headers["host"] for request in server.requests} == {f"[::1]:{server.port}"}

    def test_environment_and_netrc_are_ignored(
        self, server: HttpServer, get: Get, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine localhost login l password p\n")
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        server.answer("/", b"direct")
        assert get(server.url("/", host="localhost")) == b"direct"
        assert "authorization" not in server.requests[0].headers


class TestStatuses:
    @pytest.mark.parametrize(("status", "body"), [(200, b"body"), (204, b"")])
    def test_status_200_and_204_succeed(self, status: int, body: bytes, server: HttpServer, get: Get) -> None:
        assert get(server.answer("/a", Answer(body, status=status))) == body

    @pytest.mark.parametrize(
        "status",
        [201, 202, 206, 300, 302, 304, 305, 400, 401, 403, 405, 406, 407, 409, 410, 416, 418, 429, 499],
    )
    def test_final_status_is_not_retried(self, status: int, server: HttpServer, get: Get) -> None:
        with pytest.raises(FetchError, match=f"the server answered {status}") as caught:
            get(server.answer("/a", Answer(status=status), b"never"))
        assert not isinstance(caught.value, (NotFound, TimedOut))
        assert server.asked("/a") == 1

    def test_interim_responses_are_skipped(self, get: Get) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"

        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + early + early + OK_HEAD + b"ok")

        with raw_server(handle) as port:
            assert get(f"http://127.0.0.1:{port}/") == b"ok"

    def test_status_404_raises_not_found(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(NotFound, match="404 Not Found"):
            get(server.url("/a"))
        assert server.asked("/a") == 1

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
    def test_status_5xx_is_retried(self, status: int, server: HttpServer, get: Get, clock: FakeClock) -> None:
        assert get(server.answer("/a", *[Answer(status=status)] * 10, b"at last")) == b"at last"
        assert sum(clock.slept) == pytest.approx(31.2)

    def test_lasting_status_503_times_out(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(TimedOut) as caught:
            get(server.answer("/a", Answer(status=503)), Settings(total=120))
        assert "the server answered 503 Service Unavailable" in str(caught.value)
        assert server.asked("/a") == 28

    def test_log_lines_match_reference(self, server: HttpServer, get: Get, logged: Log) -> None:
        url = server.answer("/a", Answer(status=503), b"")
        get(url)
        assert logged.of("info") == [
            f"GET {url}: attempt #1",
            f"GET {url}: error: the server answered 503 Service Unavailable",
            f"GET {url}: attempt #2",
            f"GET {url}: result: 200 OK",
        ]

    def test_log_hides_secrets(self, server: HttpServer, get: Get, logged: Log) -> None:
        url = server.answer("/a", Answer(status=503), Answer.redirect("/b?sig=secret"))
        server.answer("/b", b"secret")
        get(url.replace("//", "//u:secret@") + "?X-Amz-Signature=secret", headers=(("X-T", "secret"),))
        assert logged.lines
        assert "secret" not in logged.text


class TestTransportFailures:
    """Transport failures are retried; after the time limit the error has the last cause."""

    LIMIT = Settings(total=10)

    def test_connection_refused_times_out_with_hint(self, get: Get) -> None:
        with socket.create_server(("127.0.0.1", 0)) as short_lived:
            port = short_lived.getsockname()[1]
        with pytest.raises(TimedOut, match="connection refused") as caught:
            get(f"http://127.0.0.1:{port}/", self.LIMIT)
        assert "start the service" in caught.value.hint

    def test_service_started_late_is_fetched(self, get: Get, clock: FakeClock) -> None:
        with socket.create_server(("127.0.0.1", 0)) as short_lived:
            port = short_lived.getsockname()[1]
        late: list[HttpServer] = []

        def sleep(seconds: float) -> None:
            clock.slept.append(seconds)
            if len(clock.slept) == 3:
                late.append(HttpServer(port=port).start())
                late[0].answer("/", b"up")

        clock.sleep = sleep  # type: ignore[method-assign]
        try:
            assert get(f"http://127.0.0.1:{port}/") == b"up"
        finally:
            late[0].stop()
        assert clock.slept == [0.2, 0.4, 0.8]

    def test_unknown_name_times_out_with_cause(self, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(TimedOut, match=r"cannot resolve nowhere\.example: no such name"):
            get("http://nowhere.example/", self.LIMIT)

    def test_connection_closed_without_response_is_retried(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(TimedOut, match="closed the connection without an answer"):
            get(server.answer("/a", Answer(drop=True)), self.LIMIT)
        assert server.asked("/a") > 1

    def test_late_headers_are_retried_after_timeout(self, server: HttpServer, get: Get) -> None:
        started = time.monotonic()
        assert (
            get(server.answer("/a", Answer(delay=20), b"second"), Settings(response_headers=0.2)) == b"second"
        )
        assert time.monotonic() - started < 10

    def test_trickling_headers_time_out(self, get: Get) -> None:
        """Each byte arrives within the socket's timeout, the headers as a whole do not."""
        ended = threading.Event()

        def handle(connection: socket.socket) -> None:
            read_request(connection)
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                connection.sendall(bytes([byte]))
                if ended.wait(0.05):
                    return

        started = time.monotonic()
        with raw_server(handle) as port:
            with pytest.raises(TimedOut, match=r"no response within 0\.2 s"):
                get(f"http://127.0.0.1:{port}/", Settings(response_headers=0.2, total=3))
            ended.set()
        assert time.monotonic() - started < 20

    def test_trickling_error_body_is_read_for_limited_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "EXPLANATION_WITHIN", 0.3)
        ended = threading.Event()

        class Talker:
            def auth_headers(self) -> dict[str, str]:
                return {}

            def explain(self, answer: Response) -> Cause | None:
                return Cause(f"it said {answer.body[:3]!r}")

        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                connection.sendall(b"n")
                if ended.wait(0.05):
                    return

        started = time.monotonic()
        with raw_server(handle) as port:
            url = f"http://127.0.0.1:{port}/"
            with pytest.raises(FetchError, match="it said b'nnn'"):
                Http(Settings()).fetch(Request(url), Sink(Source(url), BytesIO()), service=Talker())
            ended.set()
        assert time.monotonic() - started < 20

    @pytest.mark.parametrize("nonsense", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\0\n", b"HTTP/1.1 abc\r\n\r\n"])
    def test_other_protocol_times_out_with_cause(self, nonsense: bytes, get: Get) -> None:
        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(nonsense)

        with raw_server(handle) as port, pytest.raises(TimedOut, match="does not speak HTTP"):
            get(f"http://127.0.0.1:{port}/", self.LIMIT)


class TestProxies:
    def test_http_proxy_receives_absolute_url(self, server: HttpServer, get: Get) -> None:
        server.answer("http://files.example:8080/a?b", b"by proxy")
        settings = Settings(http_proxy=f"http://user:pass@127.0.0.1:{server.port}")
        assert get("http://files.example:8080/a?b", settings) == b"by proxy"
        (request,) = server.requests
        assert request.headers["host"] == "files.example:8080"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        assert "authorization" not in request.headers

    def test_exempt_host_is_fetched_directly(self, server: HttpServer, get: Get) -> None:
        settings = Settings(http_proxy="http://127.0.0.1:1", no_proxy=("127.0.0.0/8",))
        assert get(server.answer("/a", b"direct"), settings) == b"direct"

    def test_redirect_chooses_proxy_of_new_host(self, server: HttpServer, get: Get) -> None:
        server.answer("http://files.example/a", Answer.redirect(server.url("/b")))
        server.answer("/b", b"direct")
        assert get("http://files.example/a", Settings(http_proxy=server.url(""))) == b"direct"

    def test_refused_tunnel_names_status_and_proxy(self, server: HttpServer, get: Get) -> None:
        server.answer("files.example:443", Answer(status=407), method="CONNECT")
        settings = Settings(https_proxy=server.url("").replace("//", "//u:secret@"), total=10)
        with pytest.raises(TimedOut) as caught:
            get("https://files.example/a", settings)
        message = str(caught.value)
        assert "the proxy refused a connection to files.example: 407" in message
        assert "through the proxy http://u:***@127.0.0.1" in message
        assert "put user and password into the proxy's URL" in caught.value.hint

    def test_refused_proxy_connection_names_proxy(self, get: Get) -> None:
        settings = Settings(http_proxy="http://127.0.0.1:1", total=10)
        with pytest.raises(TimedOut, match=r"connection refused \(through the proxy http://127.0.0.1:1\)"):
            get("http://files.example/a", settings)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_unknown_proxy_name_is_named_in_error(
        self, scheme: str, get: Get, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client looks up the proxy; the proxy looks up the host."""

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        proxy = "http://proxy.example:8080"
        with pytest.raises(TimedOut, match=r"cannot resolve proxy\.example: no such name"):
            get(f"{scheme}://files.example/a", Settings(http_proxy=proxy, https_proxy=proxy, total=10))

    def test_trickling_tunnel_response_times_out(self) -> None:
        """Each byte arrives within the socket's timeout, the response as a whole does not."""
        ended = threading.Event()

        def handle(connection: socket.socket) -> None:
            read_request(connection)
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                connection.sendall(bytes([byte]))
                if ended.wait(0.05):
                    return

        url = "https://files.example/a"
        started = time.monotonic()
        with raw_server(handle) as port:
            client = Http(Settings(https_proxy=f"http://127.0.0.1:{port}", total=1))
            with pytest.raises(TimedOut, match="no response within"):
                client.fetch(Request(url), Sink(Source(url), BytesIO()))
            ended.set()
        assert time.monotonic() - started < 20

    @pytest.mark.real_commands("openssl")
    def test_https_proxy_opens_tunnel(self, authority: Authority, get: Get) -> None:
        asked: list[bytes] = []
        tls = authority.server("inside", subject="DNS:files.example")

        def handle(connection: socket.socket) -> None:
            asked.append(read_request(connection).partition(b"\r\n")[0])
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with tls.wrap_socket(connection, server_side=True) as inner:
                asked.append(read_request(inner).partition(b"\r\n")[0])
                inner.sendall(OK_HEAD + b"ok")

        with raw_server(handle) as port:
            settings = Settings(
                https_proxy=f"http://127.0.0.1:{port}", certificate_authorities=(authority.bundle,)
            )
            assert get("https://files.example/a", settings) == b"ok"
        assert asked[0].startswith(b"CONNECT files.example:443 HTTP/1.")
        assert asked[1] == b"GET /a HTTP/1.1"
