"""One provisioning: a process of its own runs the engine's real stages, from the config to the end.

It is forked from the runner, in which everything is imported already: starting an
interpreter is dear under emulation. It may be told to die on the way, as by a power cut
or an impatient hand: at a *boundary*, which is just before or just after a command that
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
"""Seconds for one provisioning."""
CRASHED: Final = 70
"""The status of a process in which something was raised that the engine does not know."""

READERS: Final = {
    "blkid": (),
    "udevadm": (),
    "wipefs": ("--json",),
    "mdadm": ("--examine", "--detail"),
    "cryptsetup": ("isLuks", "luksUUID", "luksDump", "--test-passphrase"),
    "dmsetup": ("table",),
}
"""Programs, or uses of them, that change nothing: to die beside one is to die at the next boundary."""


@dataclass(frozen=True)
class Boundary:
    """Where to die: before or after a command, by its number among those that change something, from 1."""

    number: int
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} command {self.number}"


@dataclass(frozen=True)
class Ran:
    """How a provisioning ended.

    Attributes:
        status: its exit status, negative if a signal ended it.
        log: what the engine said, and the failure card if it left one.
        commands: the commands that change something, in the order in which they were begun.
    """

    status: int
    log: str
    commands: tuple[str, ...]


def forget() -> None:
    """Forget all that stages have left: as after a new start of the machine."""
    shutil.rmtree(PLACE, ignore_errors=True)
    # The second is where mdadm writes down which names are taken.
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
    """Fetch `config` and run the stages in a process; `meanwhile` is called when it has begun."""
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
        # What a service manager does too: all processes of a stage end with it.
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
        status = _engine(stages, commands, die)
    except BaseException:  # noqa: BLE001  whatever it was: this process must not become a second runner
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
        # In a boot the network would come up here; in the guest there is no more of it than there was.
        first, *others = stages if cache.exists() else ("fetch", *stages)
        status = stage.main([*options, f"--stage={first}", f"--then={','.join(others)}"])
    return status


class _Watch:
    """Counts the commands that change something, and ends everything at a boundary."""

    def __init__(self, commands: Path, die: Boundary | None) -> None:
        self._commands = commands
        self._die = die
        self._lock = Lock()
        self._count = 0

    def begins(self, argv: Sequence[str]) -> int:
        """A command is about to begin; returns its number, 0 for one that only reads."""
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
        """A command has ended."""
        self._perhaps_die(Boundary(number, after=True))

    def _perhaps_die(self, here: Boundary) -> None:
        if here == self._die:
            os.killpg(0, signal.SIGKILL)


class _Program(subprocess.Popen[bytes]):
    """A program that is watched. It stands where the engine's process has `subprocess.Popen`."""

    watch: ClassVar[_Watch]

    def __init__(self, argv: Sequence[str], **options: Any) -> None:
        self._number = self.watch.begins(argv)
        super().__init__(argv, **options)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.watch.ended(self._number)


def only_reads(argv: Sequence[str]) -> bool:
    """Whether a command changes nothing on any disk."""
    words = READERS.get(argv[0])
    return words is not None and (not words or any(word in argv for word in words))
