# SPDX-License-Identifier: Apache-2.0
r"""A host for stage tests: fake programs, devices and resources, and a real target root.

host = FakeHost(tmp_path)
host.run.answer("blkid", stdout="TYPE=ext4\n")              # every call of blkid
host.run.answer("useradd", status=9, stderr="no", having="core")   # calls with that argument
host.fetch.resources["https://example.com/x"] = b"content"
...
assert host.run.argvs == [("useradd", "--root", ..., "core")]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, NotFound
from ignition.host import Host
from ignition.host.command import Command, CommandFailed, Ran
from ignition.host.root import Root
from ignition.host.source import Source

__all__ = ["FakeDevices", "FakeFetch", "FakeHost", "FakeRun"]

Responder = Callable[[Command], Ran]


@dataclass
class _Answer:
    program: str
    having: str | None
    responses: list[Ran | Responder]

    def fits(self, command: Command) -> bool:
        return command.program == self.program and (
            self.having is None or self.having in command.real_argv()[1:]
        )

    def give(self, command: Command) -> Ran:
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return response(command) if callable(response) else response


class FakeRun:
    """Returns prepared answers; a command without one succeeds without output.

    `commands` has all commands in order. The newest answer has priority. The responses of one `answer` are
    used in turn, the last one repeatedly. `missing` has the names of programs that are not installed.
    """

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.missing: set[str] = set()
        self._answers: list[_Answer] = []

    def answer(
        self,
        program: str,
        *responses: Ran | Responder,
        stdout: str = "",
        stderr: str = "",
        status: int = 0,
        having: str | None = None,
    ) -> None:
        """Prepare the answer of `program`, optionally only for calls with the argument `having`."""
        given = list(responses) or [Ran(status, stdout, stderr)]
        self._answers.insert(0, _Answer(program, having, given))

    def has(self, program: str) -> bool:
        return program not in self.missing

    def __call__(self, command: Command) -> Ran:
        """Note the command and return its answer; raise `CommandFailed` like the real one."""
        self.commands.append(command)
        ran = next((a.give(command) for a in self._answers if a.fits(command)), Ran(0))
        if ran.status not in command.ok:
            raise CommandFailed(command, ran)
        return ran

    @property
    def argvs(self) -> list[tuple[str, ...]]:
        """The arguments of all commands, secrets included."""
        return [tuple(command.real_argv()) for command in self.commands]

    def ran(self, program: str) -> list[tuple[str, ...]]:
        return [argv for argv in self.argvs if argv[0].rpartition("/")[2] == program]


class FakeDevices:
    """Fake devices; without a set `there`, every device exists.

    `waited`, `settled`, `locks` and `zeroed` have the arguments of the calls.
    """

    def __init__(self) -> None:
        self.there: set[str] | None = None
        self.links: dict[str, str] = {}
        self.waited: list[dict[str, ConfigPath]] = []
        self.settled: list[tuple[str, ...]] = []
        self.locks: list[tuple[str, ...]] = []
        self.zeroed: list[tuple[str, tuple[tuple[int, int], ...]]] = []

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        """Fail at once if a device does not exist."""
        self.waited.append(dict(wanted))
        missing = [device for device in wanted if self.there is not None and device not in self.there]
        if missing:
            raise IgnitionError(f"{missing[0]} not found")

    def alias(self, device: str) -> str:
        return f"/run/ignition/dev_aliases{device}"

    def resolve(self, device: str) -> str:
        """Return the target in `links`, else the device itself."""
        return self.links.get(device, device)

    @contextmanager
    def locked(self, devices: Iterable[str]) -> Iterator[None]:
        self.locks.append(tuple(devices))
        yield

    def zero(self, device: str, ranges: Iterable[tuple[int, int]]) -> None:
        self.zeroed.append((device, tuple(ranges)))

    def settle(self, devices: Iterable[str]) -> None:
        self.settled.append(tuple(devices))


@dataclass
class FakeFetch:
    """Resources by URL; `asked` has the requested sources in order."""

    resources: dict[str, bytes | Exception] = field(default_factory=dict)
    asked: list[Source] = field(default_factory=list)

    def bytes(self, source: Source) -> bytes:
        """Return the resource, or raise the exception in its place."""
        self.asked.append(source)
        found = b"" if source.url == "" else self.resources.get(source.url)
        if found is None:
            raise NotFound(f"{source.url} not found")
        if isinstance(found, Exception):
            raise found
        return found

    def file(self, source: Source, into: BinaryIO) -> None:
        into.write(self.bytes(source))


class FakeHost(Host):
    """A `Host` with fake programs, devices and network.

    The target root is `directory`/root, the running system `directory`/system; both are created.
    """

    run: FakeRun
    devices: FakeDevices
    fetch: FakeFetch

    def __init__(self, directory: Path) -> None:
        self._make(root := directory / "root", system := directory / "system")
        run = FakeRun()
        super().__init__(
            run=run,
            root=Root(str(root)),
            devices=FakeDevices(),
            fetch=FakeFetch(),
            system=str(system),
            has_program=run.has,
        )

    @staticmethod
    def _make(*directories: Path) -> None:
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
