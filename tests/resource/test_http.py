"""HTTP against a real server that fails in every way."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from ignition.errors import FetchError, NotFound, TimedOut
from ignition.host.source import Source
from ignition.resource import Settings
from ignition.resource.http import FRUITLESS, REDIRECTS, Http, canonical_headers
from ignition.resource.request import Request, Response
from ignition.resource.stream import Sink
from ignition.version import VERSION
from tests.lab.server import Answer, HttpServer
from tests.lab.server import Request as Seen
from tests.resource.conftest import Authority, FakeClock, Log, MakeHttp, hear_request, raw_server

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.fixture
def get(make_http: MakeHttp) -> Callable[..., bytes]:
    """Fetch a URL: `get(url, settings, stall=…, headers=…, verb=…)`."""

    def fetch(
        url: str,
        settings: Settings | None = None,
        *,
        stall: float = 60.0,
        verb: str = "GET",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> bytes:
        into = io.BytesIO()
        request = Request(url, verb=verb, headers=headers)
        with Sink(Source(url), into) as sink:
            answer = make_http(settings, stall).fetch(request, sink)
            sink.finish()
        assert isinstance(answer, Response)
        return into.getvalue()

    return fetch


Get = Callable[..., bytes]


class TestWhatIsSent:
    def test_the_headers_of_the_reference(self, server: HttpServer, get: Get) -> None:
        get(server.answer("/a", b""))
        (request,) = server.requests
        assert request.method == "GET"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": f"Ignition/{VERSION}",
            "accept": "application/vnd.coreos.ignition+json;version=3.6.0, */*;q=0.1",
            "accept-encoding": "identity",
        }

    def test_the_config_s_headers_replace_those_of_the_same_name(self, server: HttpServer, get: Get) -> None:
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

    def test_names_go_out_in_canonical_case(self, get: Get) -> None:
        heard: list[bytes] = []

        def speak(connection: socket.socket) -> None:
            heard.append(hear_request(connection))
            connection.sendall(OK_HEAD + b"ok")

        with raw_server(speak) as port:
            get(f"http://127.0.0.1:{port}/", headers=(("x-aws-ec2-metadata-token-ttl-seconds", "60"),))
        assert b"\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\n" in heard[0]

    @pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "trailer"])
    def test_headers_of_the_transport_are_not_the_config_s(self, name: str) -> None:
        assert canonical_headers(((name, "5"),)) == {}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("ü", "x"),
            ("A", ""),
            ("A", "  "),
            ("A", "s\nX: y"),
            ("A", "s\0"),
        ],
    )
    def test_headers_that_cannot_be_sent(self, name: str, value: str) -> None:
        with pytest.raises(FetchError, match="header") as caught:
            canonical_headers(((name, value),))
        assert "X: y" not in str(caught.value)

    def test_user_and_password_of_the_url(self, server: HttpServer, get: Get) -> None:
        url = server.answer("/a", b"").replace("//", "//us%40er:p%C3%A4ss@")
        get(url)
        assert server.requests[0].headers["authorization"] == "Basic dXNAZXI6cMOkc3M="
        get(url, headers=(("authorization", "Bearer t"),))
        assert server.requests[1].headers["authorization"] == "Bearer t"

    @pytest.mark.parametrize("verb", ["PUT", "POST"])
    def test_a_verb_without_a_body_says_so(self, verb: str, server: HttpServer, get: Get) -> None:
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
    def test_the_request_line(self, written: str, sent: str, server: HttpServer, get: Get) -> None:
        server.respond(sent.partition("?")[0], lambda _: Answer(b"x"))
        assert get(server.url(written)) == b"x"
        assert server.requests[0].target == sent

    def test_ipv6_and_its_zones(self, get: Get) -> None:
        with HttpServer(host="::1") as server:
            server.answer("/", b"six")
            assert get(server.url("/")) == b"six"
            # A zone by number: by name the C library takes one for link-local addresses only.
            zone = socket.if_nametoindex("lo")
            assert get(server.url("/", host=f"[::1%25{zone}]")) == b"six"
            assert {request.headers["host"] for request in server.requests} == {f"[::1]:{server.port}"}

    def test_nothing_is_taken_from_the_environment(
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
    def test_success(self, status: int, body: bytes, server: HttpServer, get: Get) -> None:
        assert get(server.answer("/a", Answer(body, status=status))) == body

    @pytest.mark.parametrize(
        "status",
        [201, 202, 206, 300, 302, 304, 305, 400, 401, 403, 405, 406, 407, 409, 410, 416, 418, 429, 499],
    )
    def test_final_failures_are_asked_once(self, status: int, server: HttpServer, get: Get) -> None:
        with pytest.raises(FetchError, match=f"the server answered {status}") as caught:
            get(server.answer("/a", Answer(status=status), b"never"))
        assert not isinstance(caught.value, (NotFound, TimedOut))
        assert server.asked("/a") == 1

    def test_not_found(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(NotFound, match="404 Not Found"):
            get(server.url("/a"))
        assert server.asked("/a") == 1

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
    def test_the_server_s_own_failures_pass(
        self, status: int, server: HttpServer, get: Get, clock: FakeClock
    ) -> None:
        assert get(server.answer("/a", *[Answer(status=status)] * 10, b"at last")) == b"at last"
        assert sum(clock.slept) == pytest.approx(31.2)

    def test_they_do_not_pass_in_time(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(TimedOut) as caught:
            get(server.answer("/a", Answer(status=503)), Settings(total=120))
        assert "the server answered 503 Service Unavailable" in str(caught.value)
        assert server.asked("/a") == 28

    def test_the_log_reads_like_the_reference_s(self, server: HttpServer, get: Get, logged: Log) -> None:
        url = server.answer("/a", Answer(status=503), b"")
        get(url)
        assert logged.of("info") == [
            f"GET {url}: attempt #1",
            f"GET {url}: error: the server answered 503 Service Unavailable",
            f"GET {url}: attempt #2",
            f"GET {url}: result: 200 OK",
        ]

    def test_nothing_secret_is_logged(self, server: HttpServer, get: Get, logged: Log) -> None:
        url = server.answer("/a", Answer(status=503), Answer.redirect("/b?sig=secret"))
        server.answer("/b", b"secret")
        get(url.replace("//", "//u:secret@") + "?X-Amz-Signature=secret", headers=(("X-T", "secret"),))
        assert logged.lines
        assert "secret" not in logged.text


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "waited"),
        [
            ({"Retry-After": "7"}, 7),
            ({"Retry-After": "86400"}, 60),
            ({"Retry-After": "soon"}, 0.2),
            ({"Retry-After": "0"}, 0.2),
            (
                {
                    "Retry-After": formatdate(1_000_030, usegmt=True),
                    "Date": formatdate(1_000_000, usegmt=True),
                },
                30,
            ),
            (
                {
                    "Retry-After": formatdate(1_000_000, usegmt=True),
                    "Date": formatdate(1_000_030, usegmt=True),
                },
                0.2,
            ),
        ],
    )
    def test_it_is_kept_within_reason(
        self, headers: dict[str, str], waited: float, get: Get, clock: FakeClock
    ) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        answers = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n" + lines + b"\r\n", OK_HEAD + b"ok"]

        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(answers.pop(0))

        with raw_server(speak) as port:
            assert get(f"http://127.0.0.1:{port}/") == b"ok"
        assert clock.slept == [waited]

    def test_too_many_requests_is_final_unless_the_server_says_when(
        self, server: HttpServer, get: Get, clock: FakeClock
    ) -> None:
        busy = Answer(status=429, headers={"Retry-After": "3"})
        assert get(server.answer("/a", busy, b"now")) == b"now"
        assert clock.slept == [3]


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_they_are_followed(self, status: int, server: HttpServer, get: Get) -> None:
        url = server.answer("/a/b", Answer.redirect("../c?d#e", status))
        server.answer("/c", b"there")
        assert get(url) == b"there"
        assert [request.target for request in server.requests] == ["/a/b", "/c?d"]

    @pytest.mark.parametrize(
        ("status", "verb", "then"),
        [
            (301, "PUT", "GET"),
            (302, "PUT", "GET"),
            (303, "PUT", "GET"),
            (307, "PUT", "PUT"),
            (308, "POST", "POST"),
        ],
    )
    def test_the_verb_after_a_redirect(
        self, status: int, verb: str, then: str, server: HttpServer, get: Get
    ) -> None:
        url = server.answer("/a", Answer.redirect("/b", status))
        server.answer("/b", b"")
        get(url, verb=verb)
        assert server.requests[1].method == then
        assert server.requests[1].headers.get("content-length") == (None if then == "GET" else "0")

    def test_headers_and_credentials_stay_with_their_host(self, server: HttpServer, get: Get) -> None:
        with HttpServer() as other:
            url = server.answer("/a", Answer.redirect(other.url("/b"))).replace("//", "//user:pass@")
            other.answer("/b", Answer.redirect(server.url("/c")))
            server.answer("/c", b"back")
            assert get(url, headers=(("X-Token", "t"), ("Accept", "a/b"))) == b"back"
            (stranger,) = other.requests
        first, last = server.requests
        assert (first.headers["x-token"], first.headers["authorization"]) == ("t", "Basic dXNlcjpwYXNz")
        for request in (stranger, last):
            assert set(request.headers) == {"host", "user-agent", "accept", "accept-encoding"}
            assert request.headers["accept"].startswith("application/vnd.coreos.ignition+json")
            # Asked to compress, a server might, and the compressed bytes would be stored.
            assert request.headers["accept-encoding"] == "identity"

    def test_the_same_host_gets_them_again(self, server: HttpServer, get: Get) -> None:
        server.answer("/b", b"")
        get(server.answer("/a", Answer.redirect("/b")), headers=(("X-Token", "t"),))
        assert server.requests[1].headers["x-token"] == "t"

    def test_credentials_in_the_new_address_are_for_it(self, server: HttpServer, get: Get) -> None:
        with HttpServer() as other:
            target = other.answer("/b", b"").replace("//", "//u:p@")
            get(server.answer("/a", Answer.redirect(target)))
            assert other.requests[0].headers["authorization"] == "Basic dTpw"

    def test_a_circle_ends(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(FetchError, match=f"redirected more than {REDIRECTS} times") as caught:
            get(server.answer("/a", Answer.redirect("/a")))
        assert "circle" in caught.value.hint
        assert server.asked("/a") == REDIRECTS + 1

    def test_twenty_five_in_a_row_are_fine(self, server: HttpServer, get: Get) -> None:
        for number in range(25):
            server.answer(f"/{number}", Answer.redirect(f"/{number + 1}"))
        server.answer("/25", b"long way")
        assert get(server.url("/0")) == b"long way"

    @pytest.mark.parametrize(
        ("location", "why"),
        [
            ("ftp://h/", "ftp where only http"),
            ("file:///etc/passwd", "file where only http"),
            ("http://[", "no URL"),
        ],
    )
    def test_other_schemes_are_not_followed(
        self, location: str, why: str, server: HttpServer, get: Get
    ) -> None:
        with pytest.raises(FetchError, match=why):
            get(server.answer("/a", Answer.redirect(location)))
        assert server.asked() == 1

    def test_a_failure_names_where_it_was_led_to(self, server: HttpServer, get: Get) -> None:
        url = server.answer("/a", Answer.redirect("/b"))
        with pytest.raises(NotFound) as caught:
            get(url)
        assert str(caught.value) == (
            f"GET {url}: the server answered 404 Not Found (redirected to {server.url('/b')})"
        )


class TestTransportFailures:
    """All of them are retried; the time limit then says what it was."""

    LIMIT = Settings(total=10)

    def test_refused(self, get: Get) -> None:
        with socket.create_server(("127.0.0.1", 0)) as short_lived:
            port = short_lived.getsockname()[1]
        with pytest.raises(TimedOut, match="connection refused") as caught:
            get(f"http://127.0.0.1:{port}/", self.LIMIT)
        assert "is the service up" in caught.value.hint

    def test_a_service_that_comes_up_late(self, get: Get, clock: FakeClock) -> None:
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

    def test_a_name_that_does_not_resolve(self, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(TimedOut, match=r"the name nowhere\.example does not resolve"):
            get("http://nowhere.example/", self.LIMIT)

    def test_closed_without_an_answer(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(TimedOut, match="closed the connection without an answer"):
            get(server.answer("/a", Answer(drop=True)), self.LIMIT)
        assert server.asked("/a") > 1

    def test_headers_that_do_not_come(self, server: HttpServer, get: Get) -> None:
        started = time.monotonic()
        assert (
            get(server.answer("/a", Answer(delay=20), b"second"), Settings(response_headers=0.2)) == b"second"
        )
        assert time.monotonic() - started < 10

    def test_headers_that_trickle(self, get: Get) -> None:
        """Each byte is early enough for a socket's time-out; all of them together are not."""
        ended = threading.Event()

        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                connection.sendall(bytes([byte]))
                if ended.wait(0.05):
                    return

        started = time.monotonic()
        with raw_server(speak) as port:
            with pytest.raises(TimedOut, match=r"no answer within 0\.2 s"):
                get(f"http://127.0.0.1:{port}/", Settings(response_headers=0.2, total=3))
            ended.set()
        assert time.monotonic() - started < 20

    @pytest.mark.parametrize("nonsense", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\0\n", b"HTTP/1.1 abc\r\n\r\n"])
    def test_what_is_not_http(self, nonsense: bytes, get: Get) -> None:
        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(nonsense)

        with raw_server(speak) as port, pytest.raises(TimedOut, match="is not HTTP"):
            get(f"http://127.0.0.1:{port}/", self.LIMIT)


class Shelf:
    """Serves one file that breaks off, with ranges if asked, and keeps what was asked for."""

    def __init__(
        self, contents: bytes, *, per_answer: int, headers: dict[str, str], ranges: bool = True
    ) -> None:
        self.contents = contents
        self.per_answer = per_answer
        self.headers = headers
        self.ranges = ranges
        self.asked_for: list[tuple[str | None, str | None]] = []

    def __call__(self, request: Seen) -> Answer:
        wanted = request.headers.get("range")
        self.asked_for.append((wanted, request.headers.get("if-range")))
        start = 0
        headers = dict(self.headers)
        if wanted and self.ranges and request.headers.get("if-range") in self.headers.values():
            match = re.fullmatch(r"bytes=(\d+)-", wanted)
            assert match is not None
            start = int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(self.contents) - 1}/{len(self.contents)}"
        rest = self.contents[start:]
        status = 206 if "Content-Range" in headers else 200
        return Answer(rest[: self.per_answer], status=status, headers=headers, claim=len(rest))


CONTENTS = bytes(range(256)) * 40


class TestBodies:
    def test_one_that_broke_off_is_continued(self, server: HttpServer, get: Get, clock: FakeClock) -> None:
        shelf = Shelf(CONTENTS, per_answer=4000, headers={"ETag": '"v1"'})
        assert get(server.respond("/a", shelf)) == CONTENTS
        assert shelf.asked_for == [(None, None), ("bytes=4000-", '"v1"'), ("bytes=8000-", '"v1"')]
        assert clock.slept == [0.2, 0.2]  # it progressed each time

    def test_last_modified_will_do(self, server: HttpServer, get: Get) -> None:
        date = formatdate(1_700_000_000, usegmt=True)
        shelf = Shelf(CONTENTS, per_answer=6000, headers={"Last-Modified": date})
        assert get(server.respond("/a", shelf)) == CONTENTS
        assert shelf.asked_for[1] == ("bytes=6000-", date)

    @pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
    def test_without_proof_that_it_is_the_same_it_starts_over(
        self, headers: dict[str, str], server: HttpServer, get: Get
    ) -> None:
        shelf = Shelf(CONTENTS, per_answer=4000, headers=headers)

        def respond(request: Seen) -> Answer:
            answer = shelf(request)
            shelf.per_answer = len(CONTENTS)
            return answer

        assert get(server.respond("/a", respond)) == CONTENTS
        assert shelf.asked_for == [(None, None), (None, None)]

    def test_a_server_without_ranges_sends_all_of_it_again(self, server: HttpServer, get: Get) -> None:
        shelf = Shelf(CONTENTS, per_answer=4000, headers={"ETag": '"v1"'}, ranges=False)

        def respond(request: Seen) -> Answer:
            answer = shelf(request)
            shelf.per_answer += 4000
            return answer

        assert get(server.respond("/a", respond)) == CONTENTS

    def test_a_file_that_changed_in_between_is_not_mixed(self, server: HttpServer, get: Get) -> None:
        old = Answer(b"old" * 100, headers={"ETag": '"v1"'}, claim=9999)
        new = Answer(b"new and whole", headers={"ETag": '"v2"'})
        assert get(server.answer("/a", old, new)) == b"new and whole"

    @pytest.mark.parametrize(
        "odd",
        [
            Answer(status=416),
            Answer(b"x", status=206, headers={"Content-Range": "bytes 7-7/8"}),
            Answer(b"x", status=206),
        ],
    )
    def test_an_odd_answer_to_a_range_starts_over(self, odd: Answer, server: HttpServer, get: Get) -> None:
        broken = Answer(b"abc", headers={"ETag": '"v1"'}, claim=8)
        url = server.answer("/a", broken, odd, b"complete")
        assert get(url) == b"complete"
        assert "range" not in server.requests[2].headers

    def test_one_that_never_gets_further_is_final(self, server: HttpServer, get: Get) -> None:
        with pytest.raises(FetchError) as caught:
            get(server.answer("/a", Answer(b"12345", claim=10)))
        assert not isinstance(caught.value, TimedOut)
        assert f"the body broke off after 5 of 10 bytes, {FRUITLESS + 1} times in a row" in str(caught.value)
        assert server.asked("/a") == FRUITLESS + 1

    def test_a_silence_counts_as_broken_off(self, server: HttpServer, get: Get, logged: Log) -> None:
        url = server.answer("/a", Answer(b"abcd", stall=30), b"efgh")
        started = time.monotonic()
        assert get(url, stall=0.2) == b"efgh"
        assert time.monotonic() - started < 10
        assert f"GET {url}: error: nothing came for 0.2 s after 2 of 4 bytes" in logged.of("info")

    def test_the_total_time_holds_for_a_body_too(self, server: HttpServer) -> None:
        url = server.answer("/a", Answer(b"abcd", stall=60))
        started = time.monotonic()
        with pytest.raises(TimedOut, match="after 2 of 4 bytes"):
            Http(Settings(total=1)).fetch(Request(url), Sink(Source(url), io.BytesIO()))
        assert time.monotonic() - started < 20

    def test_the_total_time_holds_for_a_body_that_trickles(self, get: Get, clock: FakeClock) -> None:
        ended = threading.Event()

        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not ended.wait(0.02):
                clock.time += 1
                connection.sendall(b"x")

        with raw_server(speak) as port:
            with pytest.raises(TimedOut, match=r"time was up after \d+ of 1000 bytes"):
                get(f"http://127.0.0.1:{port}/", Settings(total=10))
            ended.set()

    @pytest.mark.parametrize("break_at", [b"", b"5\r\nhel"])
    def test_chunks(self, break_at: bytes, get: Get) -> None:
        whole = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        answers = [break_at, whole] if break_at else [whole]

        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(head + answers.pop(0))

        with raw_server(speak) as port:
            assert get(f"http://127.0.0.1:{port}/") == b"hello world"

    def test_a_long_one_tells_how_far_it_is(self, get: Get, clock: FakeClock, logged: Log) -> None:
        piece = bytes(2**16)

        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (40 * len(piece)))
            for _ in range(40):
                clock.time += 1
                connection.sendall(piece)

        with raw_server(speak) as port:
            get(f"http://u:secret@127.0.0.1:{port}/f?sig=secret")
        lines = [line for line in logged.of("info") if "MiB" in line]
        # How much of it has been read when the clock is looked at is the kernel's affair.
        assert 1 <= len(lines) <= 4
        shown = re.escape(f"GET http://u:***@127.0.0.1:{port}/f?sig=***: ")
        assert all(re.fullmatch(shown + r"[0-9.]+ of 2\.5 MiB, [0-9.]+ [KM]iB/s", line) for line in lines)

    def test_without_a_length_the_end_is_the_end(self, get: Get) -> None:
        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nold style")

        with raw_server(speak) as port:
            assert get(f"http://127.0.0.1:{port}/") == b"old style"

    @pytest.mark.parametrize("length", [b"", b"Content-Length: 5\r\n"])
    def test_a_server_that_closes_each_connection(self, length: bytes, get: Get) -> None:
        def speak(connection: socket.socket) -> None:
            hear_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + b"\r\nwhole")

        with raw_server(speak) as port:
            assert get(f"http://127.0.0.1:{port}/", Settings(total=10)) == b"whole"

    def test_an_encoding_nobody_asked_for_stays_as_it_is(
        self, server: HttpServer, get: Get, logged: Log
    ) -> None:
        body = b"\x1f\x8bnot really"
        url = server.answer("/a", Answer(body, headers={"Content-Encoding": "gzip"}))
        assert get(url) == body
        assert f"GET {url}: sent as gzip though not asked to; taken as it is" in logged.of("info")

    def test_connections_are_kept(self, make_http: MakeHttp) -> None:
        connections = 0

        def speak(connection: socket.socket) -> None:
            nonlocal connections
            connections += 1
            while True:
                hear_request(connection)
                connection.sendall(OK_HEAD + b"ok")

        http = make_http()
        with raw_server(speak) as port:
            for _ in range(3):
                url = f"http://127.0.0.1:{port}/"
                http.fetch(Request(url), Sink(Source(url), io.BytesIO()))
            http.close()
        assert connections == 1


class TestProxies:
    def test_http_asks_the_proxy_for_the_whole_address(self, server: HttpServer, get: Get) -> None:
        server.answer("http://files.example:8080/a?b", b"by proxy")
        settings = Settings(http_proxy=f"http://user:pass@127.0.0.1:{server.port}")
        assert get("http://files.example:8080/a?b", settings) == b"by proxy"
        (request,) = server.requests
        assert request.headers["host"] == "files.example:8080"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        assert "authorization" not in request.headers

    def test_an_exempt_host_is_asked_itself(self, server: HttpServer, get: Get) -> None:
        settings = Settings(http_proxy="http://127.0.0.1:1", no_proxy=("127.0.0.0/8",))
        assert get(server.answer("/a", b"direct"), settings) == b"direct"

    def test_a_redirect_chooses_anew(self, server: HttpServer, get: Get) -> None:
        server.answer("http://files.example/a", Answer.redirect(server.url("/b")))
        server.answer("/b", b"direct")
        assert get("http://files.example/a", Settings(http_proxy=server.url(""))) == b"direct"

    def test_a_proxy_that_refuses_says_so(self, server: HttpServer, get: Get) -> None:
        server.answer("files.example:443", Answer(status=407), method="CONNECT")
        settings = Settings(https_proxy=server.url("").replace("//", "//u:secret@"), total=10)
        with pytest.raises(TimedOut) as caught:
            get("https://files.example/a", settings)
        message = str(caught.value)
        assert "the proxy refused to connect to files.example: 407" in message
        assert "through the proxy http://u:***@127.0.0.1" in message
        assert "the proxy wants credentials" in caught.value.hint

    def test_a_proxy_that_is_not_there(self, get: Get) -> None:
        settings = Settings(http_proxy="http://127.0.0.1:1", total=10)
        with pytest.raises(TimedOut, match=r"connection refused \(through the proxy http://127.0.0.1:1\)"):
            get("http://files.example/a", settings)

    @pytest.mark.real_commands("openssl")
    def test_https_goes_through_a_tunnel(self, authority: Authority, get: Get) -> None:
        asked: list[bytes] = []
        tls = authority.server("inside", subject="DNS:files.example")

        def speak(connection: socket.socket) -> None:
            asked.append(hear_request(connection).partition(b"\r\n")[0])
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with tls.wrap_socket(connection, server_side=True) as inner:
                asked.append(hear_request(inner).partition(b"\r\n")[0])
                inner.sendall(OK_HEAD + b"ok")

        with raw_server(speak) as port:
            settings = Settings(
                https_proxy=f"http://127.0.0.1:{port}", certificate_authorities=(authority.bundle,)
            )
            assert get("https://files.example/a", settings) == b"ok"
        assert asked[0].startswith(b"CONNECT files.example:443 HTTP/1.")
        assert asked[1] == b"GET /a HTTP/1.1"
