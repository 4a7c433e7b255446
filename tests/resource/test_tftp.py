# SPDX-License-Identifier: Apache-2.0
"""The TFTP client against a server that drops, duplicates and changes packets."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from io import BytesIO
from struct import pack, unpack_from

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ignition.errors import FetchError, NotFound, TimedOut, VerificationFailed
from ignition.host.source import Source
from ignition.resource import Fetcher, Settings, tftp
from ignition.resource.http.happy_eyeballs import Endpoint
from ignition.resource.stream import Sink
from ignition.resource.tftp import Remote, Tftp
from tests.lab.logged import Log
from tests.lab.tftp import ACK, DATA, ERROR, OACK, RRQ, TftpServer
from tests.resource.conftest import FakeClock, in_thread, no_jitter


@pytest.fixture
def tftpd() -> Iterator[TftpServer]:
    with TftpServer() as running:
        yield running


def get(url: str, *, patience: float = 0.05, total: float = 0.0, real_time: bool = False) -> bytes:
    contents = BytesIO()
    clock = {} if real_time else {"clock": FakeClock()}
    client = Tftp(Settings(total=total), spread=no_jitter, patience=patience, **clock)
    with Sink(Source(url), contents) as sink:
        client.fetch(url, sink)
        sink.finish()
    return contents.getvalue()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1427, 1428, 1429, 100_000])
@pytest.mark.parametrize("options", [True, False])
def test_file_of_any_size_is_complete(tftpd: TftpServer, size: int, options: bool) -> None:
    tftpd.understands_options = options
    tftpd.files[b"/a/file"] = contents = os.urandom(size)
    assert get(tftpd.url("/a/file"), patience=5) == contents
    [request] = tftpd.requests
    assert (request.mode, request.options) == (b"octet", {b"blksize": b"1428"})


def test_fetcher_fetches_tftp_url_verified(tftpd: TftpServer, logged: Log) -> None:
    contents = os.urandom(5000)
    tftpd.files[b"/f.gz"] = gzip.compress(contents)
    digest = f"sha512-{hashlib.sha512(contents).hexdigest()}"
    source = Source(tftpd.url("/f.gz"), compression="gzip", hash=digest)
    assert Fetcher().bytes(source) == contents
    assert any("attempt #1" in line for line in logged.of("info"))
    with pytest.raises(VerificationFailed):
        Fetcher().bytes(Source(tftpd.url("/f.gz"), hash=digest))


def test_ipv6_address_is_fetched(logged: Log) -> None:
    with TftpServer("::1") as tftpd:
        tftpd.files[b"/f"] = b"six"
        assert get(tftpd.url("/f"), patience=5) == b"six"


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("tftp://h/f", "h", 69, b"/f"),
        ("tftp://h:6969//a//f?mode=netascii#x", "h", 6969, b"//a//f"),
        ("TFTP://[::1]/f", "::1", 69, b"/f"),
        ("tftp://[fe80::1%25eth0]:70/f", "fe80::1%eth0", 70, b"/f"),
        ("tftp://h/a%20b%ff", "h", 69, b"/a b\xff"),
        ("tftp://h/ü", "h", 69, "/ü".encode()),
        ("tftp://bücher.example/f", "xn--bcher-kva.example", 69, b"/f"),
    ],
)
def test_remote_of_url_has_host_port_and_path(url: str, host: str, port: int, path: bytes) -> None:
    assert Remote.of(url) == Remote(host, port, path)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("tftp://h", "no file"),
        ("tftp:///f", "no host"),
        ("tftp://h/a%00b", "NUL"),
        ("tftp://h:x/f", "not a URL"),
    ],
)
def test_remote_of_invalid_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        Remote.of(url)


def lose_every(nth: int) -> Callable[[bytes], list[bytes]]:
    sent = 0

    def fault(packet: bytes) -> list[bytes]:
        nonlocal sent
        sent += 1
        return [] if sent % nth == 0 else [packet]

    return fault


@settings(max_examples=15, deadline=None)
@given(
    st.binary(max_size=4000),
    st.booleans(),
    st.lists(st.sampled_from(["pass", "lose", "double", "old", "stray"]), min_size=1, max_size=6),
)
def test_lost_doubled_and_late_packets_keep_contents(
    contents: bytes, options: bool, faults: list[str]
) -> None:
    """Mixtures of lost, duplicated, late and unrelated packets."""
    turn = 0
    before = b""

    def fault(packet: bytes) -> list[bytes]:
        nonlocal turn, before
        turn += 1
        last, before = before, packet
        match faults[turn % len(faults)]:
            case "lose" if turn < 12:  # a fault without an end would time out
                return []
            case "double":
                return [packet, packet]
            case "old" if last[:2] == pack("!H", DATA):
                return [last, packet]
            case "stray":
                return [pack("!HH", DATA, 77) + b"from another time", packet]
        return [packet]

    with TftpServer() as tftpd:
        tftpd.understands_options = options
        tftpd.fault = fault
        tftpd.files[b"/f"] = contents
        assert get(tftpd.url("/f"), patience=0.4) == contents


def test_repeated_block_is_acknowledged_again(tftpd: TftpServer) -> None:
    """A server repeats a block whose acknowledgement was lost."""
    tftpd.files[b"/f"] = contents = os.urandom(1500)
    tftpd.fault = lambda packet: [packet, packet]
    assert get(tftpd.url("/f"), patience=5) == contents


def test_block_number_wraps_after_65535(tftpd: TftpServer) -> None:
    tftpd.understands_options = False
    tftpd.files[b"/f"] = contents = os.urandom(512) * 65540 + b"end"
    assert get(tftpd.url("/f"), patience=5) == contents


@pytest.mark.parametrize("code", [0, 4, 8])
def test_refused_options_repeat_request_without_options(tftpd: TftpServer, code: int) -> None:
    tftpd.refuses_options = code
    tftpd.files[b"/f"] = b"plain"
    assert get(tftpd.url("/f"), patience=5) == b"plain"
    assert [bool(request.options) for request in tftpd.requests] == [True, False]


def test_unanswered_options_repeat_request_without_options(tftpd: TftpServer, logged: Log) -> None:
    tftpd.silent = 6
    tftpd.files[b"/f"] = b"plain"
    assert get(tftpd.url("/f"), patience=0.02) == b"plain"
    assert [bool(request.options) for request in tftpd.requests] == [True] * 6 + [False]
    assert any("did not answer" in line for line in logged.of("info"))


def test_missing_file_raises_not_found(tftpd: TftpServer) -> None:
    with pytest.raises(NotFound, match='file not found \\("File not found"\\)') as caught:
        get(tftpd.url("/nothing"), patience=5)
    assert "slash" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "why"), [(2, "permission denied"), (3, "error 3"), (7, "error 7"), (0, "error 0")]
)
def test_server_error_is_final_and_printable(tftpd: TftpServer, code: int, why: str) -> None:
    tftpd.files[b"/f"] = b"x"
    tftpd.fault = lambda packet: [pack("!HH", ERROR, code) + b"go\x1b[2J away" + b"!" * 400 + b"\0"]
    with pytest.raises(FetchError, match=why) as caught:
        get(tftpd.url("/f"), patience=5)
    assert not isinstance(caught.value, NotFound)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_oversized_block_is_refused(tftpd: TftpServer) -> None:
    tftpd.files[b"/f"] = b"x" * 100
    tftpd.fault = lambda packet: [packet + b"y" * 2000 if packet[1] == DATA else packet]
    with pytest.raises(FetchError, match="2100 bytes in a block of 1428"):
        get(tftpd.url("/f"), patience=5)


@pytest.mark.parametrize(
    "answer",
    [
        b"blksize\x0065464\0",
        b"blksize\x00x\0",
        b"tsize\x005\0",
        b"blksize\x000\0",
        b"blksize\0" + b"9" * 5000 + b"\0",
    ],
)
def test_unrequested_options_are_refused(tftpd: TftpServer, answer: bytes) -> None:
    tftpd.files[b"/f"] = b"plain"
    tftpd.fault = lambda packet: [pack("!H", OACK) + answer if packet[1] == OACK else packet]
    assert get(tftpd.url("/f"), patience=5) == b"plain"
    assert [bool(request.options) for request in tftpd.requests] == [True, False]


def test_cancelled_transfer_sends_error_to_server(tftpd: TftpServer) -> None:
    tftpd.files[b"/f"] = b"not gzip" * 1000
    with pytest.raises(FetchError, match="not gzip"):
        Fetcher().bytes(Source(tftpd.url("/f"), compression="gzip"))
    for _ in range(100):
        if tftpd.errors:
            break
        tftpd._ending.wait(0.02)
    assert tftpd.errors == [0]


def test_packet_from_other_port_is_answered_with_error_5() -> None:
    """RFC 1350, section 4: packets from another port are answered with error 5 and otherwise ignored."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as well_known,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        for each in (well_known, own, other):
            each.bind(("127.0.0.1", 0))
            each.settimeout(5)

        def serve() -> None:
            request, client = well_known.recvfrom(2000)
            assert unpack_from("!H", request)[0] == RRQ
            own.sendto(pack("!HH", DATA, 1) + b"a" * 512, client)
            assert own.recvfrom(2000)[0] == pack("!HH", ACK, 1)
            other.sendto(pack("!HH", DATA, 2) + b"forged", client)
            assert unpack_from("!HH", other.recvfrom(2000)[0]) == (ERROR, 5)
            own.sendto(pack("!HH", DATA, 2) + b"b", client)
            assert own.recvfrom(2000)[0] == pack("!HH", ACK, 2)

        with in_thread(serve):
            url = f"tftp://127.0.0.1:{well_known.getsockname()[1]}/f"
            assert get(url, patience=5) == b"a" * 512 + b"b"


def test_connection_refused_is_detected_and_retried(logged: Log) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(TimedOut, match="connection refused"):
        get(f"tftp://127.0.0.1:{port}/f", patience=5, total=3)
    assert sum("attempt #" in line for line in logged.of("info", "debug")) == 4


def test_addresses_of_host_are_tried_in_turn(tftpd: TftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(tftpd.url("").rpartition(":")[2])
    nobody = Endpoint(socket.AF_INET6, ("::1", port, 0, 0))
    server = Endpoint(socket.AF_INET, ("127.0.0.1", port))
    tftpd.files[b"/f"] = b"second"
    monkeypatch.setattr(tftp, "endpoints", lambda *_: (nobody, server))
    assert get("tftp://two.example/f", patience=5) == b"second"
    tftpd.silent = 1000
    with pytest.raises(TimedOut, match="connection refused"):
        get("tftp://two.example/f", patience=0.02, total=1)


def test_silent_server_times_out_after_total_time(tftpd: TftpServer) -> None:
    tftpd.silent = 1000
    with pytest.raises(TimedOut, match=r"timed out after 0\.4 s") as caught:
        get(tftpd.url("/f"), patience=0.1, total=0.4, real_time=True)
    assert "the server did not answer" in str(caught.value)
    assert "port 69" in caught.value.hint


def test_interrupted_transfer_restarts(tftpd: TftpServer, logged: Log) -> None:
    tftpd.files[b"/f"] = contents = os.urandom(4000)
    tftpd.fault = lambda packet: (
        [packet] if len(tftpd.requests) > 1 or packet[1] == OACK or packet[3] < 2 else []
    )
    assert get(tftpd.url("/f"), patience=0.05) == contents
    assert any("stopped answering" in line and "1428 bytes" in line for line in logged.of("info"))


def test_other_protocol_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.settimeout(5)

        def serve() -> None:
            _, client = service.recvfrom(2000)
            service.sendto(b"HTTP/1.1 400 Bad Request", client)

        url = f"tftp://127.0.0.1:{service.getsockname()[1]}/f"
        with in_thread(serve), pytest.raises(FetchError, match="does not speak TFTP"):
            get(url, patience=5)
