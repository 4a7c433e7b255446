# SPDX-License-Identifier: Apache-2.0
"""Reports on configs.

A `Report` lists the findings on a config, each with its severity, its path in the config
and, if the text is known, its line and column. Everything else that goes wrong is an
exception (`ignition.errors`).

Source of the format and order of the lines: docs/reference/config-language.md, "Reports".
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ignition.configpath import ConfigPath, format_path
from ignition.text import printable

__all__ = ["Entry", "Position", "Report", "Severity", "TypeMismatch"]


class Severity(enum.Enum):
    """Severity of an entry; only `ERROR` makes a config unusable."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Position:
    """Line and column in the text of a config, both from 1; columns count bytes."""

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

    `code` is a stable identifier for tools. `hint` is not part of the reference's one line.
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
        """Return the finding with its path below a prefix."""
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
    """Entries in the order in which they were found; `+` joins reports."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Report:
        """Return a report with these entries."""
        return cls(tuple(entries))

    @property
    def is_fatal(self) -> bool:
        """Whether any entry is an error."""
        return any(entry.severity is Severity.ERROR for entry in self.entries)

    def under(self, prefix: ConfigPath) -> Report:
        """Return the report with all paths below a prefix."""
        return Report(tuple(entry.under(prefix) for entry in self.entries))

    def placed(self, locate: Callable[[ConfigPath], Position | None]) -> Report:
        """Return the report with positions for the entries that have a path but no position."""
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
        """Return one line per entry, without a final newline."""
        return "\n".join(map(str, self.entries))
