# SPDX-License-Identifier: Apache-2.0
"""Run programs. The only module that starts processes.

The environment has only the variables below, stdin is empty unless the command has input, and both output
streams are captured. Calls are logged, and long ones report progress (`ignition.host.progress`).
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
from ignition.text import strerror

__all__ = ["ProgramNotFound", "run"]


def run(command: Command) -> Ran:
    """Run `command` to its end.

    Raises:
        CommandFailed: the exit status is not in `command.ok`.
        ProgramNotFound: the program is not installed.
        IgnitionError: the program cannot be started.
    """
    log.debug(f"executing: {command}")
    with standard_input(command.stdin) as stdin, start(command, stdin) as process:
        try:
            stdout, stderr = communicate(process, Work(command.why))
        except BaseException:
            process.kill()
            raise
    ran = Ran(process.returncode, decode(stdout), decode(stderr))
    if ran.status not in command.ok:
        raise CommandFailed(command, ran)
    return ran


def start(command: Command, stdin: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.real_argv(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment() | dict(command.environment),
        )
    except FileNotFoundError as error:
        raise ProgramNotFound(command.program) from error
    except OSError as error:
        raise IgnitionError(f"cannot start {command.program}: {strerror(error)}") from error
    except ValueError as error:
        raise IgnitionError(f"cannot start {command.program}: an argument contains a NUL byte") from error


@contextmanager
def standard_input(data: bytes | None) -> Iterator[int]:
    """Yield a descriptor for standard input: a file in memory, which needs no writer, unlike a pipe."""
    if data is None:
        with open(os.devnull, "rb") as nothing:
            yield nothing.fileno()
        return
    with open(os.memfd_create("stdin"), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


def communicate(process: subprocess.Popen[bytes], work: Work) -> tuple[bytes, bytes]:
    """Read the output of a program until it ends, and report progress."""
    while True:
        try:
            return process.communicate(timeout=work.seconds_until_report())
        except subprocess.TimeoutExpired:  # the next call returns all output
            work.report()


def environment() -> dict[str, str]:
    """Return the environment of all programs: the search path, and English messages."""
    return {"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH") or distro.DEFAULT_PATH}


class ProgramNotFound(IgnitionError):
    """A program is not installed.

    Attributes:
        program: its name.
        package: the package that contains it, or "".
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self.package = distro.PACKAGES.get(program, "")
        hint = f"install the package {self.package}" if self.package else ""
        super().__init__(f'program "{program}" not found', hint=hint)


def decode(raw: bytes) -> str:
    """Decode program output; bytes that are not UTF-8 become U+FFFD."""
    return raw.decode("utf-8", "replace")
