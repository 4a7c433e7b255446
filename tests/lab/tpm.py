"""A TPM 2 made of software: swtpm.

For programs of this machine it is behind two ports on loopback, with one user at a time and no resource
manager:

    with SoftTpm(tmp_path / "tpm") as tpm:
        environment = {"TPM2TOOLS_TCTI": tpm.tcti}

For a guest it is behind a socket that QEMU is given:

    with guests_tpm(tmp_path) as tpm:
        Guest(…, tpm=tpm)
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.commands import LabError

__all__ = ["PROGRAMS", "SoftTpm", "guests_tpm"]

PROGRAMS = ("swtpm",)
"""What a test that uses this must be allowed to start."""

_PATIENCE = 10.0


class SoftTpm:
    """A TPM whose memory is in a folder; a context manager that switches it on and off."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = _two_free_ports()
        self._command = [
            *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--flags", "startup-clear"),
            *("--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1"),
            *("--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def tcti(self) -> str:
        """How tpm2-tools are told where it is."""
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + _PATIENCE
        while not _listens(self.port + 1):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"swtpm does not run: {self._end()}")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> str:
        """Switch it off; returns what it said."""
        if self._process is None:
            return ""
        self._process.terminate()
        return self._process.communicate()[1].decode(errors="replace").strip()


@contextmanager
def guests_tpm(folder: Path) -> Iterator[Path]:
    """A TPM with its memory in `folder`; the socket through which QEMU gives it to one guest."""
    state, control = folder / "tpm", folder / "tpm.socket"
    state.mkdir()
    command = [
        "swtpm",
        "socket",
        "--tpm2",
        "--tpmstate",
        f"dir={state}",
        "--ctrl",
        f"type=unixio,path={control}",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + _PATIENCE
            while not control.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError("the software TPM does not start")
                time.sleep(0.05)
            yield control
        finally:
            process.kill()


def _two_free_ports() -> int:
    """The first of two neighbouring ports: tpm2-tools expect the control port right behind the other."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _listens(port: int) -> bool:
    """Whether somebody listens there; without a connection, of which swtpm would serve only one."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text(encoding="utf-8")
