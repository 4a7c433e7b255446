"""TFTP: read requests in octet mode (RFC 1350), with larger blocks where the server agrees (RFC 2347, 2348).

Every packet that gets no answer is sent again, as the reference does it: five times,
five seconds apart. Beyond the reference, a transfer that failed in a way that may pass
is begun again like every other fetch, for as long as the settings allow.

Source: engine.md section 7.2, section 14 point 18.
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
"""Seconds that an answer is waited for before the last packet is sent again."""
REPEATS: Final = 5
"""Times that one packet is sent again."""
SPREAD: Final = 1.0
"""Seconds that are waited longer, at random, so that clients of one server get out of step."""
LOOKUP: Final = 30.0
"""Seconds for the server's name to be looked up."""

BLOCK: Final = 512
"""Bytes of a block unless another size was agreed on (RFC 1350)."""
WANTED_BLOCK: Final = 1428
"""The block that is asked for: the largest that no usual link, tunnel or IPv6 has to split."""
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
"""Codes with which servers that know no options answer a request that has some."""

IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25
"""Linux: let a socket that is not connected know that nobody listens (ip(7), ipv6(7))."""

NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

SERVER_TEXT: Final = 200
"""Characters of a server's own error message that are shown."""

SILENCE_HINT: Final = (
    "start the TFTP server, and allow UDP port 69 and the server's data port in the firewall"
)


@dataclass(frozen=True)
class Remote:
    """What a `tftp:` URL names.

    Attributes:
        host: name, or address without brackets but with its zone.
        port: 69 unless the URL says otherwise.
        path: the file as it is asked for, with its leading slash.
    """

    host: str
    port: int
    path: bytes

    @classmethod
    def of(cls, url: str) -> Remote:
        """Take the URL apart. A query is ignored, as in the reference.

        Raises:
            FetchError: it cannot be asked.
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
    """The server did not answer, however often the last packet was sent."""


class OptionsRefused(Exception):
    """The server wants a request without options."""


class Tftp:
    """Fetches over TFTP with fixed settings; any number of threads may use it at once.

    `patience` is for tests: the seconds before a packet is sent again.
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
        """Bring the file into the sink, complete but not verified.

        Raises:
            NotFound: the server has no such file.
            TimedOut: not within the total time.
            FetchError: it will not get better by trying again.
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
    """One file, over all attempts."""

    def __init__(self, remote: Remote, sink: Sink, patience: float, clock: Clock) -> None:
        self.what = f"GET {sink.name}"
        self._progress = progress.Download(self.what, clock.now)
        self._remote = remote
        self._sink = sink
        self._patience = patience
        self._options = True

    def attempt(self, deadline: Deadline) -> None:
        """Ask the server's addresses one after another; they share the time that one would have."""
        host = self._remote.host
        silence = f"{host} does not answer"
        try:
            addresses = endpoints(host, self._remote.port, min(LOOKUP, deadline.left()))
        except OSError as caught:
            raise Retry(diagnosis.explain(caught, host=host, silence=silence)) from caught
        failures: list[Exception] = []
        for address in addresses:
            try:
                return self._ask(address, 1 + REPEATS // len(addresses), deadline)
            except (OSError, Silence) as caught:
                failures.append(caught)
        # An address that this machine has no route to says less than one that did not answer.
        telling = min(failures, key=lambda each: isinstance(each, OSError) and each.errno in NO_ROUTE)
        raise Retry(self._cause(telling)) from telling

    def _ask(self, address: Endpoint, tries: int, deadline: Deadline) -> None:
        """Transfer the file, once more without options if the server does not like them."""
        try:
            with _Transfer(address, self._sink, self._progress, self._patience, deadline) as transfer:
                transfer.run(self._request(), tries)
        except OptionsRefused:
            self._options = False
            log.debug(f"{self.what}: the server does not support options")
            self._ask(address, tries, deadline)
        except Silence:
            # What swallows a request with options, or larger packets, may let the plain protocol through.
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
        shown: progress.Download,
        patience: float,
        deadline: Deadline,
    ) -> None:
        self._server = address.address
        self._known = False
        """Whether the server's own port for this transfer is known yet (RFC 1350: its TID)."""
        self._sink = sink
        self._shown = shown
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
        """Ask for the file and take it, block by block. `tries` is how often the request is sent.

        Raises:
            NotFound: the server has no such file.
            FetchError: the server refuses, or does not speak TFTP.
            OptionsRefused: it would like to be asked without options.
            Silence: it does not answer any more.
            OSError: it cannot be reached.
        """
        self._sink.restart()
        self._say(request.packet())
        data = self._first(request, tries)
        number = 1
        while True:
            self._store(data)
            self._say(pack("!HH", ACK, number))
            if len(data) < self._block:
                # If this last acknowledgement is lost, the server times out; the file is here.
                return
            number = (number + 1) % 0x10000  # beyond 65535 blocks numbers start anew, as servers do it
            data = self._next(request, number)

    def _first(self, request: _Request, tries: int) -> bytes:
        """The data of block 1; before it, the server may say which options it takes."""
        agreed = False
        for packet in self._heard(tries):
            kind, detail = _parsed(request, packet)
            if kind == DATA and detail == 1:
                return self._payload(request, packet)
            if kind == ERROR:
                raise self._refusal(request, detail, packet, negotiating=not agreed)
            if kind == OACK and request.has_options:
                if not agreed:
                    self._agree(request, packet)
                    agreed = True
                self._say(pack("!HH", ACK, 0))
        raise Silence

    def _next(self, request: _Request, number: int) -> bytes:
        """The data of a later block."""
        for packet in self._heard(1 + REPEATS):
            kind, detail = _parsed(request, packet)
            if kind == DATA and detail == number:
                return self._payload(request, packet)
            if kind == ERROR:
                raise self._refusal(request, detail, packet, negotiating=False)
            if kind == DATA and detail == (number - 1) % 0x10000:
                self._say(self._last)  # our acknowledgement was lost
        raise Silence

    def _heard(self, tries: int) -> Iterator[bytes]:
        """What the server sends; whenever its time is over, what was said last is said again."""
        for tried in range(tries):
            if self._known and not self._deadline.left():
                raise Retry(Cause("time was up", "check the speed of network and server"))
            if tried:
                self._say(self._last)
            end = time.monotonic() + self._wait()
            while (packet := self._hear(end)) is not None:
                yield packet

    def _store(self, data: bytes) -> None:
        try:
            self._sink.write(data)
            self._shown.update(self._sink.received)
        except FetchError:
            self._abort(0, "cancelled")
            raise

    def _wait(self) -> float:
        """How long to listen: longer by a random while, but never beyond the total time."""
        import random

        spread = SPREAD * self._patience / PATIENCE
        longer = self._patience + spread * random.random()  # noqa: S311 (spreads load, hides nothing)
        return min(longer, self._deadline.left())

    def _say(self, packet: bytes) -> None:
        self._last = packet
        self._socket.sendto(packet, self._server)

    def _hear(self, end: float) -> bytes | None:
        """The server's next packet; None when it does not come until `end`.

        Whoever sends from another host, or from another port of the server once its
        own is known, is none of ours; the latter is told so, the transfer goes on.
        """
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet, sender = self._socket.recvfrom(LARGEST_PACKET)
            except TimeoutError:
                return None
            if _address(sender) != _address(self._server):
                continue
            if self._known and sender[1] != self._server[1]:
                stray = pack("!HH", ERROR, UNKNOWN_TRANSFER) + b"not of this transfer\0"
                self._socket.sendto(stray, sender)
                continue
            self._server, self._known = sender, True
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
        """Take the server's answer to the options: the block size, at most what was asked for."""
        words = packet[2:].split(b"\0")
        options = {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=False)}
        size = options.pop(b"blksize", b"%d" % BLOCK)
        if options or len(size) > 5 or not size.isdigit() or not 8 <= int(size) <= request.block:
            self._abort(OPTIONS_REFUSED, "unexpected packet")
            raise OptionsRefused
        self._block = int(size)

    def _refusal(self, request: _Request, code: int, packet: bytes, *, negotiating: bool) -> Exception:
        if negotiating and request.has_options and code in REFUSES_OPTIONS:
            return OptionsRefused()
        said = packet[4:].partition(b"\0")[0].decode("utf-8", "replace")[:SERVER_TEXT]
        said = "".join(c if c.isprintable() else "?" for c in said).strip()
        quoted = f' ("{said}")' if said else ""
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
    """Kind, and number of the block or the error, of a packet.

    Raises:
        FetchError: it is none of TFTP's.
    """
    if len(packet) >= 4:
        kind, detail = unpack_from("!HH", packet)
        if kind in {DATA, ERROR, OACK}:
            return kind, detail
    raise FetchError(f"{request.what}: the server does not speak TFTP", hint="check the port")


def _address(sender: tuple[object, ...]) -> str:
    """The sender's address without the interface that it came through."""
    return str(sender[0]).partition("%")[0]
