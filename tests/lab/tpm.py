# SPDX-License-Identifier: Apache-2.0
"""A software TPM 2: swtpm.

For programs of this machine the TPM listens on two ports on loopback. It serves one client at a time, without
a resource manager:

    with SoftTpm(tmp_path / "tpm") as tpm:
        environment = {"TPM2TOOLS_TCTI": tpm.tcti}

For a guest the TPM listens on a Unix socket, which QEMU uses:

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
"""Programs for the marker `real_commands` of tests that use this module."""

_TIMEOUT = 10.0


class SoftTpm:
    """Context manager that starts and stops a TPM with its state in a folder."""

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
        """Value of `TPM2TOOLS_TCTI`."""
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + _TIMEOUT
        while not _listens(self.port + 1):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"cannot start swtpm: {self._end()}")
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
        """Stop the TPM; return its stderr."""
        if self._process is None:
            return ""
        self._process.terminate()
        return self._process.communicate()[1].decode(errors="replace").strip()


@contextmanager
def guests_tpm(folder: Path) -> Iterator[Path]:
    """Run a TPM with its state in `folder`; yield the socket for QEMU."""
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
            deadline = time.monotonic() + _TIMEOUT
            while not control.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError("cannot start swtpm")
                time.sleep(0.05)
            yield control
        finally:
            process.kill()


def _two_free_ports() -> int:
    """Return the first of two adjacent free ports; tpm2-tools expect the control port to be the second."""
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
    """Whether a process listens on the port. Does not connect, because swtpm serves only one connection."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text(encoding="utf-8")
