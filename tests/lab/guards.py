"""What a unit test may not do unless its markers say so: start real programs, leave loopback.

One audit hook watches the interpreter itself, so it does not matter by which door
the code under test goes out. What it raises derives from `BaseException`: no
`except Exception` of the code under test can swallow it and turn it into one more
handled failure.
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
    """A test did what it has no marker for."""


class RealCommand(Guarded):
    """A real program would have been started."""


class RealNetwork(Guarded):
    """A socket would have left loopback."""


@dataclass(frozen=True)
class Permit:
    """What the running test may do.

    `programs` names the real programs it may start (`None`: all of them), `own` the
    folder below which every program was written by the tests themselves.
    """

    own: Path
    programs: frozenset[str] | None = frozenset()
    network: bool = False

    def check(self, event: str, arguments: Arguments) -> None:
        """Raise `Guarded` if the audit event `event` is one that this test may not cause."""
        if check := _CHECKS.get(event):
            check(self, arguments)

    def _check_popen(self, arguments: Arguments) -> None:
        executable, argv, _, environment = arguments
        # The C library's list of libraries, which ctypes asks for on behalf of pyudev; reads only.
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
            raise RealCommand(f"this test would start {found}: mark it real_commands({name!r}) if it must")

    def _check_exec(self, arguments: Arguments) -> None:
        self._check_program(_text(arguments[0]))

    def _check_shell(self, arguments: Arguments) -> None:
        self._check_program("sh")

    def _check_address(self, arguments: Arguments) -> None:
        address = next((part for part in arguments[1:] if isinstance(part, tuple)), None)
        # Unix sockets have a path for an address and netlink sockets two numbers: neither leaves the machine.
        if address is not None and address and isinstance(address[0], str):
            self._check_host(address[0])

    def _check_name(self, arguments: Arguments) -> None:
        name = _text(arguments[0] or "")
        # An address in figures is looked up nowhere; connecting to it is checked when it happens.
        if not _is_address(name):
            self._check_host(name)

    def _check_host(self, host: str) -> None:
        if not self.network and not _is_loopback(host):
            raise RealNetwork(f"this test would talk to {host}: mark it real_network if it must")


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
    """The one audit hook of this process (hooks cannot be taken away again) and what it checks now."""

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
"""A context in which the given `Permit` holds, in all threads of this process."""
