# SPDX-License-Identifier: Apache-2.0
"""Command lines of the reference's small programs, with their common help, version and usage errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ignition.errors import UsageError
from ignition.verbs import go_flags
from ignition.verbs.console import complain, say
from ignition.verbs.go_flags import Flag
from ignition.version import VERSION

__all__ = ["Program", "Values"]

Values = dict[str, str]
"""The flags' values by name; switches as "true" or "false"."""


@dataclass(frozen=True)
class Program:
    """The command line of a program of the reference.

    Attributes:
        flags: all flags, including `version`.
        usage: the usage text.
        parse: the parser for the flags.
        words: number of arguments after the flags.
        misused: the exit status for another number of arguments.
    """

    flags: Sequence[Flag]
    usage: str
    parse: Callable[[Sequence[Flag], Sequence[str]], tuple[Values, list[str]]]
    words: int
    misused: int

    def main(self, arguments: Sequence[str], act: Callable[[Values, list[str]], int]) -> int:
        """Parse the arguments and call `act` with the flags' values and the words; return the exit status."""
        try:
            values, words = self.parse(self.flags, arguments)
        except go_flags.HelpWanted:
            complain(self.usage)
            return 0
        except UsageError as error:
            complain(f"{error}\n{self.usage}")
            return error.exit_code
        if values["version"] == "true":
            say(f"Ignition {VERSION}\n")
            return 0
        if len(words) != self.words:
            complain(self.usage)
            return self.misused
        return act(values, words)
