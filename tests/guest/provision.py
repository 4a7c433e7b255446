# SPDX-License-Identifier: Apache-2.0
"""Run one provisioning: the engine's stages, in a process of their own.

The process is forked from the runner, which has imported all modules already, because starting an interpreter
is slow under emulation. The process can kill itself at a *boundary*: just before or after a command that
changes something.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Final

from tests.guest.world import PLACE

__all__ = ["Boundary", "Ran", "forget", "provision"]

PATIENCE: Final = 600.0
"""Time limit for one provisioning in seconds."""
CRASHED: Final = 70
"""Exit status of a process with an unexpected exception."""

READERS: Final = {
    "blkid": (),
    "udevadm": (),
    "wipefs": ("--json",),
    "mdadm": ("--examine", "--detail"),
    "cryptsetup": ("isLuks", "luksUUID", "luksDump", "--test-passphrase"),
    "dmsetup": ("table",),
}
"""Programs, or options of them, that change nothing, so that no boundary is needed around them."""


@dataclass(frozen=True)
class Boundary:
    """Point of the kill: before or after a command, by its number (from 1) among the changing ones."""

    number: int
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} command {self.number}"


@dataclass(frozen=True)
class Ran:
    """Result of a provisioning.

    Attributes:
        status: exit status, negative for a signal.
        log: the engine's log, and the failure card if there is one.
        commands: the commands that change something, in the order of their starts.
    """

    status: int
    log: str
    commands: tuple[str, ...]


def forget() -> None:
    """Remove the files that stages leave below /run, as a restart of the machine does."""
    shutil.rmtree(PLACE, ignore_errors=True)
    # mdadm keeps the names of arrays in /run/mdadm.
    for place in ("/run/ignition", "/run/mdadm"):
        shutil.rmtree(place, ignore_errors=True)
    (PLACE / "root").mkdir(parents=True)
    (PLACE / "ignition").mkdir()


def provision(
    config: str,
    stages: Sequence[str],
    *,
    die: Boundary | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Ran:
    """Fetch `config` and run the stages in a new process; call `meanwhile` after its start."""
    (PLACE / "config.ign").write_text(config, encoding="utf-8")
    log, commands, card = PLACE / "log", PLACE / "commands", PLACE / "ignition" / "failure"
    for file in (log, commands, card):
        file.unlink(missing_ok=True)
    for file in (log, commands):
        file.touch()
    child = os.fork()
    if child == 0:
        _be_the_engine(stages, log, commands, die)
    try:
        meanwhile()
    finally:
        status = _end_of(child)
    said = "".join(file.read_text(errors="replace") for file in (log, card) if file.exists())
    return Ran(status, said, tuple(commands.read_text(errors="replace").splitlines()))


def _end_of(child: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_the_engine(stages: Sequence[str], log: Path, commands: Path, die: Boundary | None) -> None:
    status = CRASHED
    try:
        # One process group, so that all processes of a stage can be killed together, as by systemd.
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
        status = _engine(stages, commands, die)
    except BaseException:  # noqa: BLE001  this process must never continue as a second runner
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _engine(stages: Sequence[str], commands: Path, die: Boundary | None) -> int:
    from ignition.verbs import stage

    _Program.watch = _Watch(commands, die)
    vars(subprocess)["Popen"] = _Program
    os.environ["IGNITION_CONFIG_FILE"] = str(PLACE / "config.ign")
    neednet, cache = PLACE / "neednet", PLACE / "ignition.json"
    options = [
        "--platform=file",
        "--log-to-stdout",
        f"--root={PLACE / 'root'}",
        f"--config-cache={cache}",
        f"--neednet={neednet}",
        f"--state-file={PLACE / 'ignition' / 'state'}",
    ]
    then = f"--then={','.join(stages)}"
    neednet.unlink(missing_ok=True)
    status = stage.main([*options, "--stage=fetch-offline", then])
    if status == 0 and neednet.exists():
        # In a boot the network comes up here.
        first, *others = stages if cache.exists() else ("fetch", *stages)
        status = stage.main([*options, f"--stage={first}", f"--then={','.join(others)}"])
    return status


class _Watch:
    """Count the commands that change something, and kill the process group at a boundary."""

    def __init__(self, commands: Path, die: Boundary | None) -> None:
        self._commands = commands
        self._die = die
        self._lock = Lock()
        self._count = 0

    def begins(self, argv: Sequence[str]) -> int:
        """Note the start of a command; return its number, or 0 if it only reads."""
        if only_reads(argv):
            return 0
        with self._lock:
            self._count += 1
            number = self._count
            with self._commands.open("a", encoding="utf-8") as file:
                file.write(f"{' '.join(argv)}\n")
        self._perhaps_die(Boundary(number))
        return number

    def ended(self, number: int) -> None:
        """Note the end of a command."""
        self._perhaps_die(Boundary(number, after=True))

    def _perhaps_die(self, here: Boundary) -> None:
        if here == self._die:
            os.killpg(0, signal.SIGKILL)


class _Program(subprocess.Popen[bytes]):
    """Replacement for `subprocess.Popen` that reports the start and end of each program."""

    watch: ClassVar[_Watch]

    def __init__(self, argv: Sequence[str], **options: Any) -> None:
        self._number = self.watch.begins(argv)
        super().__init__(argv, **options)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.watch.ended(self._number)


def only_reads(argv: Sequence[str]) -> bool:
    """Whether a command never writes to a disk."""
    words = READERS.get(argv[0])
    return words is not None and (not words or any(word in argv for word in words))
