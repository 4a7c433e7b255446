"""What is wrong with a config: collected, placed, printed.

A `Report` is one of the two channels for trouble. It lists everything that is
wrong with a *config*, each entry with its severity, its path into the config
and, when the text is at hand, its line and column. What is wrong with the
*world* is an exception (`ignition.errors`).

Format of the lines, words and order: config-spec section 3.2.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ignition.configpath import ConfigPath, format_path
from ignition.text import printable

__all__ = ["Entry", "Position", "Report", "Severity", "TypeMismatch"]


class Severity(enum.Enum):
    """How bad an entry is; only `ERROR` makes a config unusable."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Position:
    """A place in the config's text; both numbers start at 1, columns count bytes."""

    line: int
    column: int


@dataclass(frozen=True)
class TypeMismatch:
    """A JSON value of the wrong type.

    Attributes:
        path: the place of the value.
        expected: the expected type with its article, "an integer".
        found: the type of the value, "a string"; never the value itself.
    """

    path: ConfigPath
    expected: str
    found: str


@dataclass(frozen=True)
class Entry:
    """One finding.

    `code` is a stable identifier for tools; `hint` says what to try, and is
    shown only where there is room for more than the reference's one line.
    `mismatch` is set for values of the wrong type, whose entries have no `path`.
    """

    severity: Severity
    message: str
    path: ConfigPath | None = None
    position: Position | None = None
    code: str = ""
    hint: str = ""
    mismatch: TypeMismatch | None = None

    def under(self, prefix: ConfigPath) -> Entry:
        """The same finding, seen from further out."""
        return replace(self, path=prefix + (self.path or ()))

    def __str__(self) -> str:
        where = []
        if self.path is not None:
            where.append(f"at {format_path(self.path)}")
        if self.position is not None:
            at = f"line {self.position.line} col {self.position.column}"
            where.append(at if where else f"at {at}")
        return f"{' '.join((self.severity.value, ', '.join(where))).rstrip()}: {printable(self.message)}"


@dataclass(frozen=True)
class Report:
    """Entries in the order in which they were found; joins with `+`."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Report:
        """The report that lists `entries`."""
        return cls(tuple(entries))

    @property
    def is_fatal(self) -> bool:
        """Whether any entry is an error."""
        return any(entry.severity is Severity.ERROR for entry in self.entries)

    def under(self, prefix: ConfigPath) -> Report:
        """The same report, seen from further out."""
        return Report(tuple(entry.under(prefix) for entry in self.entries))

    def placed(self, locate: Callable[[ConfigPath], Position | None]) -> Report:
        """The same report with a position for each entry that has a path but none yet."""
        return Report(
            tuple(
                replace(entry, position=locate(entry.path))
                if entry.path is not None and entry.position is None
                else entry
                for entry in self.entries
            )
        )

    def __add__(self, other: Report) -> Report:
        return Report(self.entries + other.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __str__(self) -> str:
        """One line per entry, no newline at the end."""
        return "\n".join(map(str, self.entries))
