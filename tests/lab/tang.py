# SPDX-License-Identifier: Apache-2.0
"""A Tang server on loopback: Debian's `tangd`, started for each connection, as by systemd.

    with TangServer(tmp_path / "keys") as tang:
        config = {"url": tang.url, "thumbprint": tang.thumbprint, "advertisement": tang.advertisement}

Guests connect through QEMU's `guestfwd`, with `tang.port` as `Guest.port`. A new server with the same folder
has the same keys. Needs the package tang-common.
"""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self

from tests.lab.commands import run

__all__ = ["PROGRAMS", "TangServer"]

PROGRAMS = ("jose", "tangd", "tangd-keygen")
"""Programs for the marker `real_commands` of tests that use this module."""

_TANGD = "/usr/libexec/tangd"
_KEYGEN = "/usr/libexec/tangd-keygen"
_LONGEST = 30.0
"""Time limit of one request in seconds."""


class TangServer:
    """Context manager that serves the keys in a folder; keys are created if the folder has none.

    Attributes:
        paths: the requested paths, oldest first.
    """

    def __init__(self, keys: Path, port: int = 0) -> None:
        keys.mkdir(parents=True, exist_ok=True)
        if not any(keys.glob("*.jwk")):
            run(_KEYGEN, keys)
        self.keys = keys
        self.paths: list[str] = []
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def thumbprint(self) -> str:
        """Thumbprint of the signing key."""
        for key in sorted(self.keys.glob("*.jwk")):
            if "verify" in json.loads(key.read_text()).get("key_ops", ()):
                return run("jose", "jwk", "thp", "-a", "S256", "-i", key).strip()
        raise LookupError(f"no signing key found in {self.keys}")

    @property
    def advertisement(self) -> str:
        """The advertisement of the keys, as JSON text."""
        answer = self.answer(b"GET /adv HTTP/1.1\r\nConnection: close\r\n\r\n")
        return answer.partition(b"\r\n\r\n")[2].decode()

    def answer(self, request: bytes) -> bytes:
        """Return the response of `tangd` to a request."""
        return subprocess.run(
            [_TANGD, self.keys], input=request, capture_output=True, timeout=_LONGEST, check=True
        ).stdout

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, tang: TangServer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.tang = tang


class _Connection(BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Pass the request to `tangd`, which uses stdin and stdout."""
        request = self._request()
        if not request:
            return
        line = request.split(b"\r\n", 1)[0].split(b" ")
        self.server.tang.paths.append(line[1].decode() if len(line) > 1 else "")
        self.request.sendall(self.server.tang.answer(request))

    def _request(self) -> bytes:
        """Read one request with its body; `tangd` would read until the client closes the connection."""
        self.request.settimeout(_LONGEST)
        data = b""
        while b"\r\n\r\n" not in data and (more := self.request.recv(65536)):
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        missing = _length(head) - len(body)
        while missing > 0 and (more := self.request.recv(missing)):
            data += more
            missing -= len(more)
        return data


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0
