"""The one place where a program is started.

The environment is built from nothing, stdin is closed unless the command brings
its own, both streams are captured, start and end are logged, and what takes long
says so (`ignition.host.progress`). Everything else that a stage does to the machine
passes `ignition.host.root`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ignition import distro, log
from ignition.errors import IgnitionError
from ignition.host.command import Command, CommandFailed, Ran
from ignition.host.progress import Work

__all__ = ["run"]


def run(command: Command) -> Ran:
    """Run `command` to its end and return what it answered.

    Raises:
        CommandFailed: its exit status is not one of `command.ok`.
        IgnitionError: the program is not there; the hint names its package.
    """
    log.debug(f"executing: {command}")
    with standard_input(command.stdin) as stdin, start(command, stdin) as process:
        try:
            stdout, stderr = to_its_end(process, Work(command.why))
        except BaseException:
            process.kill()
            raise
    ran = Ran(process.returncode, text(stdout), text(stderr))
    if ran.status not in command.ok:
        raise CommandFailed(command, ran)
    return ran


def start(command: Command, stdin: int) -> subprocess.Popen[bytes]:
    """The program, as it has just begun to run."""
    try:
        return subprocess.Popen(
            command.real_argv(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment() | dict(command.environment),
        )
    except FileNotFoundError as error:
        raise missing(command.program) from error
    except OSError as error:
        raise IgnitionError(f"cannot start {command.program}: {error.strerror}") from error
    except ValueError as error:
        raise IgnitionError(f"cannot start {command.program}: an argument has a NUL in it") from error


@contextmanager
def standard_input(data: bytes | None) -> Iterator[int]:
    """What the program reads, as a file in memory: a pipe would have to be filled while it is waited for."""
    if data is None:
        with open(os.devnull, "rb") as nothing:
            yield nothing.fileno()
        return
    with open(os.memfd_create("stdin"), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


def to_its_end(process: subprocess.Popen[bytes], work: Work) -> tuple[bytes, bytes]:
    """Take what a program writes, and say from time to time that it still runs."""
    while True:
        try:
            return process.communicate(timeout=work.patience())
        except subprocess.TimeoutExpired:  # nothing is lost: the next call returns all of it
            work.still()


def environment() -> dict[str, str]:
    """All that a program gets to see: where programs are, and that answers are plain English."""
    return {"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH") or distro.DEFAULT_PATH}


def missing(program: str) -> IgnitionError:
    """The error for a program that is not installed, with the package that brings it."""
    package = distro.PACKAGES.get(program)
    hint = f"it comes with the package {package}" if package else ""
    return IgnitionError(f"the program {program} is not here", hint=hint)


def text(raw: bytes) -> str:
    """Program output as text; what is not UTF-8 shows as U+FFFD."""
    return raw.decode("utf-8", "replace")
