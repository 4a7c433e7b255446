"""The one place where a program is started.

The environment is built from nothing, stdin is closed unless the command brings
its own, both streams are captured, start and end are logged. Everything else
that a stage does to the machine passes `ignition.host.root`.
"""

from __future__ import annotations

import os
import subprocess

from ignition import distro, log
from ignition.errors import CommandFailed, IgnitionError
from ignition.host.command import Command, Ran

__all__ = ["run"]


def run(command: Command) -> Ran:
    """Run `command` to its end and return what it answered.

    Raises:
        CommandFailed: its exit status is not one of `command.ok`.
        IgnitionError: the program is not there; the hint names its package.
    """
    log.debug(f"executing: {command}")
    try:
        done = subprocess.run(
            command.real_argv(),
            input=command.stdin,
            stdin=subprocess.DEVNULL if command.stdin is None else None,
            capture_output=True,
            env=environment() | dict(command.environment),
            check=False,
        )
    except FileNotFoundError as error:
        raise missing(command.program) from error
    except OSError as error:
        raise IgnitionError(f"cannot start {command.program}: {error.strerror}") from error
    ran = Ran(done.returncode, text(done.stdout), text(done.stderr))
    if ran.status not in command.ok:
        raise CommandFailed(command, ran)
    return ran


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
