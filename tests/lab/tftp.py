# SPDX-License-Identifier: Apache-2.0
"""A real TFTP server on loopback that misbehaves on request (RFC 1350, 2347, 2348)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from struct import pack, unpack_from
from types import TracebackType
from typing import Self

__all__ = ["TftpRequest", "TftpServer"]

RRQ, DATA, ACK, ERROR, OACK = 1, 3, 4, 5, 6
PATIENCE = 0.15
REPEATS = 20

Fault = Callable[[bytes], list[bytes]]
"""Makes of a packet that would be sent those that really are: none (lost), two (doubled), another one."""


@dataclass(frozen=True)
class TftpRequest:
    """One read request as it came in."""

    path: bytes
    mode: bytes
    options: dict[bytes, bytes]


class TftpServer:
    """Serve `files`; a context manager that starts and ends the server.

    Attributes:
        files: contents by path, as clients ask for it.
        requests: every read request in the order of arrival.
        errors: the codes of the errors that clients sent.
        fault: what happens to each packet on its way out.
        understands_options: whether options are answered; a server of 1992 ignores them.
        refuses_options: the error with which a request that has some is refused, if any.
        silent: how many requests get no answer at all.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.files: dict[bytes, bytes] = {}
        self.requests: list[TftpRequest] = []
        self.errors: list[int] = []
        self.fault: Fault = lambda packet: [packet]
        self.understands_options = True
        self.refuses_options: int | None = None
        self.silent = 0
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self._ending = threading.Event()
        self._transfers: list[threading.Thread] = []
        self._socket = self._bound()
        self._thread = threading.Thread(target=self._listen)

    def url(self, path: str) -> str:
        """The address of `path`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"tftp://{host}:{self._socket.getsockname()[1]}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        for transfer in self._transfers:
            transfer.join()
        self._socket.close()

    def _bound(self) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        made.bind((self._host, 0))
        made.settimeout(0.02)
        return made

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                packet, client = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if unpack_from("!H", packet)[0] != RRQ:
                continue
            path, mode, *words = packet[2:].split(b"\0")[:-1]
            request = TftpRequest(path, mode, dict(zip(words[::2], words[1::2], strict=True)))
            self.requests.append(request)
            if self.silent:
                self.silent -= 1
                continue
            self._transfers.append(threading.Thread(target=self._serve, args=(request, client)))
            self._transfers[-1].start()

    def _serve(self, request: TftpRequest, client: tuple[object, ...]) -> None:
        """One transfer, from a port of its own, as the RFC wants it."""
        with self._bound() as own:
            talk = _Talk(own, client, self)
            if request.options and self.refuses_options is not None:
                talk.say(pack("!HH", ERROR, self.refuses_options) + b"no options\0")
                return
            contents = self.files.get(request.path)
            if contents is None:
                talk.say(pack("!HH", ERROR, 1) + b"File not found\0")
                return
            size = 512
            if self.understands_options and b"blksize" in request.options:
                size = int(request.options[b"blksize"])
                if not talk.said(pack("!H", OACK) + b"blksize\0%d\0" % size, 0):
                    return
            for number in range(1, len(contents) // size + 2):
                block = contents[(number - 1) * size : number * size]
                if not talk.said(pack("!HH", DATA, number % 0x10000) + block, number % 0x10000):
                    return


class _Talk:
    def __init__(self, own: socket.socket, client: tuple[object, ...], server: TftpServer) -> None:
        self._own = own
        self._client = client
        self._server = server

    def say(self, packet: bytes) -> None:
        for each in self._server.fault(packet):
            self._own.sendto(each, self._client)

    def said(self, packet: bytes, number: int) -> bool:
        """Send a packet until it is acknowledged; whether it was. Doubled acknowledgements mean nothing."""
        for _ in range(REPEATS):
            if self._server._ending.is_set():
                return False
            self.say(packet)
            self._own.settimeout(PATIENCE)
            try:
                while True:
                    answer, sender = self._own.recvfrom(65535)
                    if sender != self._client:
                        continue
                    kind, detail = unpack_from("!HH", answer)
                    if kind == ERROR:
                        self._server.errors.append(detail)
                        return False
                    if (kind, detail) == (ACK, number):
                        return True
            except (TimeoutError, ConnectionError):
                continue
        return False
