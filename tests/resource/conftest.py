# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a fake clock, HTTP clients, raw TCP servers and a certificate authority."""

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
    """A clock that only `sleep` advances."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def no_jitter(delay: float) -> float:
    """No jitter."""
    return delay


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


MakeHttp = Callable[..., Http]


@pytest.fixture
def make_http(clock: FakeClock) -> MakeHttp:
    """Create an HTTP client with the fake clock: `make_http(Settings(…), stall=…)`."""

    def make(settings: Settings | None = None, stall: float = 60.0) -> Http:
        return Http(settings or Settings(), clock=clock, spread=no_jitter, stall=stall)

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
def raw_server(handle: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    """Run a TCP server that calls `handle` for each connection, in a thread; yield its port."""
    ending = threading.Event()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def run_handler(connection: socket.socket) -> None:
        with connection:
            try:
                handle(connection)
            except OSError:
                return  # the client closed the connection

    def accept() -> None:
        while not ending.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connections.append(connection)
            threads.append(threading.Thread(target=run_handler, args=(connection,)))
            threads[-1].start()

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
            for thread in threads:
                thread.join()


def read_request(connection: socket.socket) -> bytes:
    """Read a request up to the end of its headers."""
    head = b""
    while REQUEST_END not in head:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError("the client ended")
        head += more
    return head


@dataclass(frozen=True)
class Authority:
    """A certificate authority created with the openssl program."""

    directory: Path

    @property
    def bundle(self) -> bytes:
        """The authority's certificate in PEM form."""
        return (self.directory / "ca.pem").read_bytes()

    def server(
        self,
        name: str,
        *,
        subject: str = "DNS:localhost,IP:127.0.0.1",
        start: str = "20200101000000Z",
        end: str = "20991231235959Z",
    ) -> ssl.SSLContext:
        """Return the context of a server with a certificate of this authority."""
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
    """Create a certificate authority; the test needs the marker real_commands("openssl")."""
    created = Authority(tmp_path)
    (tmp_path / "ca.cnf").write_text(CA_SETTINGS)
    (tmp_path / "index").write_text("")
    (tmp_path / "serial").write_text("01")
    created.openssl(
        "req", "-x509", "-newkey", *EC_KEY, "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=Test Authority", "-days", "3650",
    )  # fmt: skip
    return created


@contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[None]:
    """Run `work` in a thread during the block; raise its exception at the end of the block."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as caught:  # noqa: BLE001 (raised again in the test's thread)
            raised.append(caught)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if raised:
        raise raised[0]
