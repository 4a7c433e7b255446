"""Commands are values: what to run, why, and which answers are accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ignition.errors import IgnitionError
from ignition.text import printable

__all__ = ["Command", "CommandFailed", "Ran", "Secret"]

HIDDEN: Final = "***"
SHORTEST: Final = 4
"""Characters of a secret that is worth hiding in a program's messages; `*` for "no password" is none."""


@dataclass(frozen=True)
class Secret:
    """A text that is handed to a program but never shown.

    It prints as `***` wherever it is formatted: log, repr, exception.
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
        why: what the call is for, as the log says it ("creating ext4 on …").
        stdin: bytes the program reads; it reads nothing by default. Never shown.
        ok: exit statuses that are answers, not failures.
        environment: variables it sees besides those that every program does.
    """

    argv: tuple[str | Secret, ...]
    why: str
    stdin: bytes | None = None
    ok: tuple[int, ...] = (0,)
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def program(self) -> str:
        """The program's name, without a directory."""
        return str(self.argv[0]).rpartition("/")[2]

    def real_argv(self) -> list[str]:
        """The arguments as the program gets them, secrets included. For the gate alone."""
        return [word.value if isinstance(word, Secret) else word for word in self.argv]

    def without_secrets(self, text: str) -> str:
        """What the program wrote, as one may print it: some repeat the arguments that they do not like."""
        secrets = [word.value for word in self.argv if isinstance(word, Secret)]
        if self.stdin is not None:
            secrets.append(self.stdin.decode("utf-8", "replace").strip())
        for secret in secrets:
            if len(secret) >= SHORTEST:
                text = text.replace(secret, HIDDEN)
        return text

    def __str__(self) -> str:
        """The command line as one may print it: quoted as Go does, secrets hidden."""
        return " ".join(map(_quoted, map(str, self.argv)))

    def __repr__(self) -> str:
        return f"Command({self})"


def _quoted(word: str) -> str:
    """In double quotes; what cannot be printed, and what would end the quotes, is escaped."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(plain)}"'


@dataclass(frozen=True)
class Ran:
    """How a program ended and what it wrote, decoded as UTF-8."""

    status: int
    stdout: str = ""
    stderr: str = ""


class CommandFailed(IgnitionError):
    """A program exited with a status that its command does not accept.

    The message contains the last five lines of its stderr, with the command's secrets hidden.

    Attributes:
        command: the command.
        ran: its exit status and output, with the secrets hidden.
    """

    def __init__(self, command: Command, ran: Ran, *, hint: str = "") -> None:
        ran = replace(
            ran, stdout=command.without_secrets(ran.stdout), stderr=command.without_secrets(ran.stderr)
        )
        tail = "\n".join(ran.stderr.strip().splitlines()[-5:]) or "no error output"
        super().__init__(f"{command}: exit status {ran.status}: {tail}", hint=hint)
        self.command = command
        self.ran = ran
