# SPDX-License-Identifier: Apache-2.0
"""Program calls as values: arguments, purpose, accepted exit statuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ignition.errors import IgnitionError
from ignition.text import printable

__all__ = ["Command", "CommandFailed", "Ran", "Secret"]

HIDDEN: Final = "***"
MIN_REDACTED: Final = 4
"""Length of the shortest secret that is redacted in program output; `*`, for no password, is not one."""


@dataclass(frozen=True)
class Secret:
    """A text that is passed to a program and never shown.

    It formats as `***` in logs, `repr` and exceptions.
    """

    value: str

    def __str__(self) -> str:
        return HIDDEN

    __repr__ = __str__


@dataclass(frozen=True)
class Command:
    """A program call.

    Attributes:
        argv: program name and arguments.
        why: purpose of the call for the log ("creating ext4 on …").
        stdin: bytes for standard input, none by default. Never shown.
        ok: accepted exit statuses.
        environment: variables in addition to those of every program.
    """

    argv: tuple[str | Secret, ...]
    why: str
    stdin: bytes | None = None
    ok: tuple[int, ...] = (0,)
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def program(self) -> str:
        """Name of the program without its directory."""
        return str(self.argv[0]).rpartition("/")[2]

    def real_argv(self) -> list[str]:
        """Return the arguments including secrets. Only for `ignition.host.run`."""
        return [word.value if isinstance(word, Secret) else word for word in self.argv]

    def redact(self, text: str) -> str:
        """Hide the secrets of the command in program output; some programs repeat invalid arguments."""
        secrets = [word.value for word in self.argv if isinstance(word, Secret)]
        if self.stdin is not None:
            secrets.append(self.stdin.decode("utf-8", "replace").strip())
        for secret in secrets:
            if len(secret) >= MIN_REDACTED:
                text = text.replace(secret, HIDDEN)
        return text

    def __str__(self) -> str:
        """Return the command line with Go's quoting, secrets hidden."""
        return " ".join(map(_quoted, map(str, self.argv)))

    def __repr__(self) -> str:
        return f"Command({self})"


def _quoted(word: str) -> str:
    plain = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(plain)}"'


@dataclass(frozen=True)
class Ran:
    """Exit status and output of a program, decoded as UTF-8."""

    status: int
    stdout: str = ""
    stderr: str = ""


class CommandFailed(IgnitionError):
    """A program exited with a status that its command does not accept.

    The message contains the last five lines of its stderr, secrets hidden.

    Attributes:
        command: the command.
        ran: exit status and output, secrets hidden.
    """

    def __init__(self, command: Command, ran: Ran, *, hint: str = "") -> None:
        ran = replace(ran, stdout=command.redact(ran.stdout), stderr=command.redact(ran.stderr))
        tail = "\n".join(ran.stderr.strip().splitlines()[-5:]) or "no error output"
        super().__init__(f"{command}: exit status {ran.status}: {tail}", hint=hint)
        self.command = command
        self.ran = ran
