# SPDX-License-Identifier: Apache-2.0
"""TFTP client: read requests in octet mode (RFC 1350), with the blksize option (RFC 2347, RFC 2348).

A packet without an answer is repeated five times at intervals of five seconds, as in the reference. In
addition, a transfer with a transient failure is retried from the start within the time limit, like every
other fetch.

Source: docs/reference/fetching.md, "TFTP".
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack, unpack_from
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ignition import log
from ignition.errors import FetchError, NotFound
from ignition.host import progress
from ignition.resource import diagnosis
from ignition.resource.clock import SYSTEM_CLOCK, Clock, Deadline
from ignition.resource.http.endpoint import Host
from ignition.resource.http.happy_eyeballs import Endpoint, endpoints
from ignition.resource.redact import redact
from ignition.resource.retry import Jitter, Retry, jitter, retried
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink
from ignition.url import MalformedUrl, parse_url

if TYPE_CHECKING:
    from ignition.resource.settings import Settings

__all__ = ["Remote", "Tftp"]

PORT: Final = 69
PATIENCE: Final = 5.0
"""Seconds to wait for an answer before the last packet is repeated."""
REPEATS: Final = 5
"""Repeats of one packet."""
SPREAD: Final = 1.0
"""Maximum of the random seconds added to `PATIENCE`, so that clients of one server do not repeat in step."""
LOOKUP: Final = 30.0
"""Seconds for the name lookup of the server."""

BLOCK: Final = 512
"""Default block size in bytes (RFC 1350)."""
WANTED_BLOCK: Final = 1428
"""Requested block size in bytes: the largest that is not fragmented on usual links, tunnels and IPv6."""
LARGEST_PACKET: Final = 0xFFFF

RRQ: Final = 1
DATA: Final = 3
ACK: Final = 4
ERROR: Final = 5
OACK: Final = 6

FILE_NOT_FOUND: Final = 1
ACCESS_VIOLATION: Final = 2
ILLEGAL_OPERATION: Final = 4
UNKNOWN_TRANSFER: Final = 5
OPTIONS_REFUSED: Final = 8

REFUSES_OPTIONS: Final = frozenset({0, ILLEGAL_OPERATION, OPTIONS_REFUSED})
"""Error codes with which servers without option support answer a request with options."""

IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25
"""Linux: report ICMP errors, such as port unreachable, on an unconnected socket; ip(7), ipv6(7)."""

NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

SERVER_TEXT: Final = 200
"""Maximum length of a server's error message in characters; the rest is cut off."""

SILENCE_HINT: Final = (
    "start the TFTP server, and allow UDP port 69 and the server's data port in the firewall"
)


@dataclass(frozen=True)
class Remote:
    """A file on a TFTP server.

    Attributes:
        host: name, or address without brackets but with its zone.
        port: the port of the URL, by default 69.
        path: the file name of the read request, with its leading slash.
    """

    host: str
    port: int
    path: bytes

    @classmethod
    def of(cls, url: str) -> Remote:
        """Parse a `tftp:` URL. A query is ignored, as in the reference.

        Raises:
            FetchError: the URL is invalid or has no host or no file name.
        """
        from urllib.parse import unquote_to_bytes

        try:
            parts = parse_url(url)
        except MalformedUrl as caught:
            raise FetchError(f"{redact(url)} is not a URL: {caught}") from caught
        host = Host.of(parts, url)
        path = unquote_to_bytes(parts.path)
        if not path.strip(b"/"):
            raise FetchError(f"{redact(url)}: the URL names no file")
        if b"\0" in path:
            raise FetchError(f"{redact(url)}: the path contains a NUL byte")
        return cls(host.dialled, PORT if host.port is None else host.port, path)


class Silence(Exception):
    """The server did not answer the last packet or any of its repeats."""


class OptionsRefused(Exception):
    """The server rejected the options of the request."""


class Tftp:
    """A TFTP client with fixed settings. Thread-safe.

    `clock`, `spread` and `patience` (seconds before a packet is repeated) are for tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        spread: Jitter = jitter,
        patience: float = PATIENCE,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._spread = spread
        self._patience = patience

    def fetch(self, url: str, sink: Sink) -> None:
        """Fetch the file into the sink, completely; the caller verifies it (`Sink.finish`).

        Raises:
            NotFound: the server does not have the file.
            TimedOut: the total time expired.
            FetchError: the failure is not transient.
        """
        remote = Remote.of(url)
        download = _Download(remote, sink, self._patience, self._clock)
        retried(
            download.attempt,
            what=download.what,
            total=self._settings.total,
            clock=self._clock,
            spread=self._spread,
        )
        log.info(f"{download.what}: result: {sink.received} bytes")


class _Download:
    """The state of one fetch over all attempts."""

    def __init__(self, remote: Remote, sink: Sink, patience: float, clock: Clock) -> None:
        self.what = f"GET {sink.name}"
        self._progress = progress.Download(self.what, clock.now)
        self._remote = remote
        self._sink = sink
        self._patience = patience
        self._options = True

    def attempt(self, deadline: Deadline) -> None:
        """Try the server's addresses one after another; the repeats of one packet are divided among them."""
        host = self._remote.host
        silence = f"{host} does not answer"
        try:
            addresses = endpoints(host, self._remote.port, min(LOOKUP, deadline.left()))
        except OSError as caught:
            raise Retry(diagnosis.explain(caught, host=host, silence=silence)) from caught
        failures: list[Exception] = []
        for address in addresses:
            try:
                return self._transfer(address, 1 + REPEATS // len(addresses), deadline)
            except (OSError, Silence) as caught:
                failures.append(caught)
        # Report a server that did not answer rather than an address without a route (IPv6 without a network).
        reported = min(failures, key=lambda each: isinstance(each, OSError) and each.errno in NO_ROUTE)
        raise Retry(self._cause(reported)) from reported

    def _transfer(self, address: Endpoint, tries: int, deadline: Deadline) -> None:
        """Transfer the file; if the server rejects options, again without them."""
        try:
            with _Transfer(address, self._sink, self._progress, self._patience, deadline) as transfer:
                transfer.run(self._request(), tries)
        except OptionsRefused:
            self._options = False
            log.debug(f"{self.what}: the server does not support options")
            self._transfer(address, tries, deadline)
        except Silence:
            # Some servers and firewalls drop requests with options or large packets without an answer.
            self._options = not self._options
            raise

    def _request(self) -> _Request:
        return _Request(self.what, self._remote.path, WANTED_BLOCK if self._options else BLOCK)

    def _cause(self, failure: Exception) -> Cause:
        received = self._sink.received
        if isinstance(failure, Silence):
            text = "the server stopped answering" if received else "the server did not answer"
            cause = Cause(text, SILENCE_HINT)
        else:
            cause = diagnosis.explain(failure, host=self._remote.host, silence="the server did not answer")
        return cause.with_detail(f"after {received} bytes") if received else cause


@dataclass(frozen=True)
class _Request:
    what: str
    path: bytes
    block: int

    @property
    def has_options(self) -> bool:
        return self.block != BLOCK

    def packet(self) -> bytes:
        options = b"blksize\0%d\0" % self.block if self.has_options else b""
        return pack("!H", RRQ) + self.path + b"\0octet\0" + options


class _Transfer:
    """One transfer with one address, from the request to the last block."""

    def __init__(
        self,
        address: Endpoint,
        sink: Sink,
        reporter: progress.Download,
        patience: float,
        deadline: Deadline,
    ) -> None:
        self._server = address.address
        self._has_tid = False
        """Whether `_server` has the server's port for this transfer (its TID, RFC 1350 section 4)."""
        self._sink = sink
        self._reporter = reporter
        self._patience = patience
        self._deadline = deadline
        self._last = b""
        self._block = BLOCK
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM)
        if address.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def run(self, request: _Request, tries: int) -> None:
        """Request the file and receive all blocks. `tries` is how often the request is sent.

        Raises:
            NotFound: the server does not have the file.
            FetchError: the server sent an error or a packet that is not TFTP.
            OptionsRefused: the server rejected the options.
            Silence: the server does not answer.
            OSError: the server is not reachable.
        """
        self._sink.restart()
        self._send(request.packet())
        data = self._first_block(request, tries)
        number = 1
        while True:
            self._store(data)
            self._send(pack("!HH", ACK, number))
            if len(data) < self._block:
                # If this last acknowledgement is lost, the server times out, but the file is complete.
                return
            number = (number + 1) % 0x10000  # after block 65535, servers continue with block 0
            data = self._next_block(request, number)

    def _first_block(self, request: _Request, tries: int) -> bytes:
        """Receive block 1, and before it the server's option acknowledgement, if any (RFC 2347)."""
        agreed = False
        for packet in self._packets(tries):
            kind, detail = _parsed(request, packet)
            if kind == DATA and detail == 1:
                return self._payload(request, packet)
            if kind == ERROR:
                raise self._refusal(request, detail, packet, negotiating=not agreed)
            if kind == OACK and request.has_options:
                if not agreed:
                    self._agree(request, packet)
                    agreed = True
                self._send(pack("!HH", ACK, 0))
        raise Silence

    def _next_block(self, request: _Request, number: int) -> bytes:
        for packet in self._packets(1 + REPEATS):
            kind, detail = _parsed(request, packet)
            if kind == DATA and detail == number:
                return self._payload(request, packet)
            if kind == ERROR:
                raise self._refusal(request, detail, packet, negotiating=False)
            if kind == DATA and detail == (number - 1) % 0x10000:
                self._send(self._last)  # the server repeated a block, so the acknowledgement was lost
        raise Silence

    def _packets(self, tries: int) -> Iterator[bytes]:
        """Yield the server's packets; repeat the last sent packet after a timeout, `tries` - 1 times."""
        for tried in range(tries):
            if self._has_tid and not self._deadline.left():
                raise Retry(Cause("time was up", "check the speed of network and server"))
            if tried:
                self._send(self._last)
            end = time.monotonic() + self._timeout()
            while (packet := self._receive(end)) is not None:
                yield packet

    def _store(self, data: bytes) -> None:
        try:
            self._sink.write(data)
            self._reporter.update(self._sink.received)
        except FetchError:
            self._abort(0, "cancelled")
            raise

    def _timeout(self) -> float:
        """Return the seconds to wait for a packet, with a random part, limited by the total time."""
        import random

        spread = SPREAD * self._patience / PATIENCE
        timeout = self._patience + spread * random.random()  # noqa: S311 (spreads load, not used for security)
        return min(timeout, self._deadline.left())

    def _send(self, packet: bytes) -> None:
        self._last = packet
        self._socket.sendto(packet, self._server)

    def _receive(self, end: float) -> bytes | None:
        """Return the server's next packet, or None at `end` (monotonic time).

        Packets from other hosts are ignored. Packets from another port of the server are answered with error
        5 and ignored (RFC 1350 section 4).
        """
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet, sender = self._socket.recvfrom(LARGEST_PACKET)
            except TimeoutError:
                return None
            if _address(sender) != _address(self._server):
                continue
            if self._has_tid and sender[1] != self._server[1]:
                stray = pack("!HH", ERROR, UNKNOWN_TRANSFER) + b"not of this transfer\0"
                self._socket.sendto(stray, sender)
                continue
            self._server, self._has_tid = sender, True
            return packet
        return None

    def _payload(self, request: _Request, packet: bytes) -> bytes:
        data = packet[4:]
        if len(data) > self._block:
            self._abort(ILLEGAL_OPERATION, "block too large")
            raise FetchError(
                f"{request.what}: the server sent {len(data)} bytes in a block of {self._block}",
                hint="check the TFTP server",
            )
        return data

    def _agree(self, request: _Request, packet: bytes) -> None:
        """Set the block size from an option acknowledgement (RFC 2348).

        Raises:
            OptionsRefused: it has other options, or a size above the requested one.
        """
        fields = packet[2:].split(b"\0")
        options = {name.lower(): value for name, value in zip(fields[::2], fields[1::2], strict=False)}
        size = options.pop(b"blksize", b"%d" % BLOCK)
        if options or len(size) > 5 or not size.isdigit() or not 8 <= int(size) <= request.block:
            self._abort(OPTIONS_REFUSED, "unexpected packet")
            raise OptionsRefused
        self._block = int(size)

    def _refusal(self, request: _Request, code: int, packet: bytes, *, negotiating: bool) -> Exception:
        if negotiating and request.has_options and code in REFUSES_OPTIONS:
            return OptionsRefused()
        text = packet[4:].partition(b"\0")[0].decode("utf-8", "replace")[:SERVER_TEXT]
        text = "".join(c if c.isprintable() else "?" for c in text).strip()
        quoted = f' ("{text}")' if text else ""
        if code == FILE_NOT_FOUND:
            return NotFound(
                f"{request.what}: file not found{quoted}",
                hint="check the path below the server's root (it is sent with its leading slash)",
            )
        if code == ACCESS_VIOLATION:
            return FetchError(
                f"{request.what}: permission denied{quoted}",
                hint="make the file readable for everybody",
            )
        return FetchError(f"{request.what}: the server answered with error {code}{quoted}")

    def _abort(self, code: int, text: str) -> None:
        self._socket.sendto(pack("!HH", ERROR, code) + text.encode() + b"\0", self._server)


def _parsed(request: _Request, packet: bytes) -> tuple[int, int]:
    """Return the opcode of a packet, and its block number or error code.

    Raises:
        FetchError: the packet is not a TFTP server's.
    """
    if len(packet) >= 4:
        kind, detail = unpack_from("!HH", packet)
        if kind in {DATA, ERROR, OACK}:
            return kind, detail
    raise FetchError(f"{request.what}: the server does not speak TFTP", hint="check the port")


def _address(sender: tuple[object, ...]) -> str:
    """Return the sender's address without the zone."""
    return str(sender[0]).partition("%")[0]
