"""Commands are values: what to run, why, and which answers are accepted."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Command", "Ran", "Secret"]


@dataclass(frozen=True)
class Secret:
    """A text that is handed to a program but never shown.

    It prints as `***` wherever it is formatted: log, repr, exception.
    """

    value: str

    def __str__(self) -> str:
        return "***"

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

    def __str__(self) -> str:
        """The command line as one may print it: quoted, secrets hidden."""
        return " ".join(f'"{word}"' for word in self.argv)

    def __repr__(self) -> str:
        return f"Command({self})"


@dataclass(frozen=True)
class Ran:
    """How a program ended and what it wrote, decoded as UTF-8."""

    status: int
    stdout: str = ""
    stderr: str = ""
