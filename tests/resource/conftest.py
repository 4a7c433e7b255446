"""Clocks that are turned by hand, servers that misbehave below HTTP, and a certificate authority."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest

from ignition.host.source import Source
from ignition.resource import Settings
from ignition.resource.http.client import Http
from ignition.resource.http.request import Request, Response
from ignition.resource.stream import Sink

REQUEST_END = b"\r\n\r\n"


@dataclass
class FakeClock:
    """Time that passes only when someone sleeps."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def exactly(delay: float) -> float:
    """No jitter."""
    return delay


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


MakeHttp = Callable[..., Http]


@pytest.fixture
def make_http(clock: FakeClock) -> MakeHttp:
    """An HTTP client whose pauses take no time: `make_http(Settings(…), stall=…)`."""

    def make(settings: Settings | None = None, stall: float = 60.0) -> Http:
        return Http(settings or Settings(), clock=clock, spread=exactly, stall=stall)

    return make


Get = Callable[..., bytes]


@pytest.fixture
def get(make_http: MakeHttp) -> Get:
    """Fetch a URL: `get(url, settings, stall=…, headers=…, verb=…)`."""

    def fetch(
        url: str,
        settings: Settings | None = None,
        *,
        stall: float = 60.0,
        verb: str = "GET",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> bytes:
        into = BytesIO()
        request = Request(url, verb=verb, headers=headers)
        with Sink(Source(url), into) as sink:
            answer = make_http(settings, stall).fetch(request, sink)
            sink.finish()
        assert isinstance(answer, Response)
        return into.getvalue()

    return fetch


@contextmanager
def raw_server(speak: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    """A server that does with each connection what `speak` does; yields its port."""
    ending = threading.Event()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    talks: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                speak(connection)
            except OSError:
                return  # the client went away, as it may

    def accept() -> None:
        while not ending.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connections.append(connection)
            talks.append(threading.Thread(target=talk, args=(connection,)))
            talks[-1].start()

    with socket.create_server((host, 0), family=family) as listener:
        listener.settimeout(0.02)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ending.set()
            accepting.join()
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in talks:
                thread.join()


def hear_request(connection: socket.socket) -> bytes:
    """All of a request's head."""
    heard = b""
    while REQUEST_END not in heard:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError("the client ended")
        heard += more
    return heard


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for the tests, by the openssl program."""

    directory: Path

    @property
    def bundle(self) -> bytes:
        """The authority's own certificate."""
        return (self.directory / "ca.pem").read_bytes()

    def server(
        self,
        name: str,
        *,
        subject: str = "DNS:localhost,IP:127.0.0.1",
        start: str = "20200101000000Z",
        end: str = "20991231235959Z",
    ) -> ssl.SSLContext:
        """What a server with a certificate of this authority uses."""
        key, request, certificate = (self.directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject}\n")
        self.openssl("req", "-newkey", *EC_KEY, "-keyout", key, "-out", request, "-subj", "/CN=ignored")
        self.openssl(
            "ca", "-config", "ca.cnf", "-in", request, "-out", certificate, "-extfile", extensions,
            "-startdate", start, "-enddate", end, "-batch", "-notext",
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def openssl(self, *arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)


EC_KEY = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
CA_SETTINGS = """
[ca]
default_ca = own
[own]
certificate = ca.pem
private_key = ca.key
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Needs the marker real_commands("openssl")."""
    made = Authority(tmp_path)
    (tmp_path / "ca.cnf").write_text(CA_SETTINGS)
    (tmp_path / "index").write_text("")
    (tmp_path / "serial").write_text("01")
    made.openssl(
        "req", "-x509", "-newkey", *EC_KEY, "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=Test Authority", "-days", "3650",
    )  # fmt: skip
    return made


@contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[None]:
    """Have `work` done beside the block; what it raises is raised at the end of it."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as caught:  # noqa: BLE001 (raised in the test's own thread)
            raised.append(caught)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if raised:
        raise raised[0]
