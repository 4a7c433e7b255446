# SPDX-License-Identifier: Apache-2.0
"""Guards for unit tests: no real programs and no sockets outside loopback, unless a marker permits them.

One audit hook sees all ways to start a program or to use a socket. Its exceptions derive from
`BaseException`, so that no `except Exception` of the code under test can handle them.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Arguments = tuple[object, ...]


class Guarded(BaseException):
    """A test did something that needs a marker."""


class RealCommand(Guarded):
    """A test tried to start a real program."""


class RealNetwork(Guarded):
    """A test tried to use a socket outside loopback."""


@dataclass(frozen=True)
class Permit:
    """Permissions of the running test.

    Attributes:
        own: folder of the programs that tests have written; these may always be started.
        programs: names of the real programs that may be started; None for all.
        network: whether sockets may leave loopback.
    """

    own: Path
    programs: frozenset[str] | None = frozenset()
    network: bool = False

    def check(self, event: str, arguments: Arguments) -> None:
        """Raise `Guarded` if the test may not cause this audit event."""
        if check := _CHECKS.get(event):
            check(self, arguments)

    def _check_popen(self, arguments: Arguments) -> None:
        executable, argv, _, environment = arguments
        # ctypes runs this read-only command when pyudev looks for libudev.
        if isinstance(argv, Sequence) and list(map(os.fsdecode, argv)) == ["/sbin/ldconfig", "-p"]:
            return
        path = environment.get("PATH") if isinstance(environment, Mapping) else None
        self._check_program(_text(executable), path if isinstance(path, str) else None)

    def _check_program(self, program: str, search: str | None = None) -> None:
        found = shutil.which(program, path=search)
        if found is None or Path(found).is_relative_to(self.own):
            return
        name = Path(program).name
        if self.programs is not None and name not in self.programs:
            raise RealCommand(
                f"this test would start {found}; mark it real_commands({name!r}) to permit that"
            )

    def _check_exec(self, arguments: Arguments) -> None:
        self._check_program(_text(arguments[0]))

    def _check_shell(self, arguments: Arguments) -> None:
        self._check_program("sh")

    def _check_address(self, arguments: Arguments) -> None:
        address = next((part for part in arguments[1:] if isinstance(part, tuple)), None)
        # The address of a Unix socket is a path, that of a netlink socket two numbers. Both are local.
        if address is not None and address and isinstance(address[0], str):
            self._check_host(address[0])

    def _check_name(self, arguments: Arguments) -> None:
        name = _text(arguments[0] or "")
        # A numeric address needs no lookup; the connection is checked later.
        if not _is_address(name):
            self._check_host(name)

    def _check_host(self, host: str) -> None:
        if not self.network and not _is_loopback(host):
            raise RealNetwork(f"this test would connect to {host}; mark it real_network to permit that")


_CHECKS: dict[str, Callable[[Permit, Arguments], None]] = {
    "subprocess.Popen": Permit._check_popen,
    "os.exec": Permit._check_exec,
    "os.posix_spawn": Permit._check_exec,
    "os.system": Permit._check_shell,
    "socket.bind": Permit._check_address,
    "socket.connect": Permit._check_address,
    "socket.sendto": Permit._check_address,
    "socket.sendmsg": Permit._check_address,
    "socket.getaddrinfo": Permit._check_name,
    "socket.gethostbyname": Permit._check_name,
}


def _text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else str(value)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    return _is_address(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback


class _Watch:
    """The audit hook of this process, which cannot be removed, and the current permit."""

    def __init__(self) -> None:
        self._permit: Permit | None = None
        self._installed = False
        self._checking = threading.local()

    def _hook(self, event: str, arguments: Arguments) -> None:
        permit = self._permit
        if permit is None or event not in _CHECKS or getattr(self._checking, "now", False):
            return
        self._checking.now = True
        try:
            permit.check(event, arguments)
        finally:
            self._checking.now = False

    @contextmanager
    def under(self, permit: Permit) -> Iterator[None]:
        if not self._installed:
            sys.addaudithook(self._hook)
            self._installed = True
        before, self._permit = self._permit, permit
        try:
            yield
        finally:
            self._permit = before


guarded = _Watch().under
"""Context manager that applies a `Permit` to all threads of this process."""
