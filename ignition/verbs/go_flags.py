# SPDX-License-Identifier: Apache-2.0
"""Command lines with the rules of Go's `flag` package, for compatibility with the reference.

`-x` and `--x` are the same, a value follows after `=` or as the next word, a
boolean takes a value only after `=`, and the first word that is not a flag ends
the flags. argparse would abbreviate flags, reorder arguments and require two dashes.

`parse_gnu` has the rules of the package `pflag`, which ignition-apply uses: two dashes
only, and flags may follow other words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ignition.errors import UsageError

__all__ = ["Flag", "HelpWanted", "duration", "parse", "parse_gnu", "usage"]

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class HelpWanted(Exception):
    """`-h` or `-help` was given: print the usage and exit with status 0."""


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: without dashes.
        help: the description in the usage.
        default: the value if the flag is not given.
        boolean: whether it is a switch.
    """

    name: str
    help: str
    default: str = ""
    boolean: bool = False


def parse(flags: Sequence[Flag], words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split a command line into flag values and the words after them.

    Returns:
        Values by flag name, defaults filled in, switches as "true" or "false"; and the rest.

    Raises:
        UsageError: an unknown flag, a missing value, or a switch with a value that is not a boolean.
        HelpWanted: the usage is requested.
    """
    known = {flag.name: flag for flag in flags}
    values = {flag.name: flag.default or ("false" if flag.boolean else "") for flag in flags}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        _take(word, known, values, rest)
    return values, rest


def parse_gnu(flags: Sequence[Flag], words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Like `parse`, but flags have two dashes and may be anywhere before a word `--`."""
    known = {flag.name: flag for flag in flags}
    values = {flag.name: flag.default or ("false" if flag.boolean else "") for flag in flags}
    rest, others = list(words), list[str]()
    while rest:
        word = rest.pop(0)
        if word == "--":
            return values, others + rest
        if word.startswith("--"):
            _take(word, known, values, rest)
        elif word == "-h":
            raise HelpWanted
        elif word.startswith("-") and word != "-":
            raise UsageError(f"unknown shorthand flag: {word}")
        else:
            others.append(word)
    return values, others


def _take(word: str, known: Mapping[str, Flag], values: dict[str, str], rest: list[str]) -> None:
    """Store the value of a flag; the value may be the first word of `rest`."""
    typed, equals, value = word.partition("=")
    name = typed.removeprefix("-").removeprefix("-")
    if not name or name.startswith("-"):
        raise UsageError(f"bad flag syntax: {word}")
    if name not in known:
        if name in {"h", "help"}:
            raise HelpWanted
        raise UsageError(f"flag provided but not defined: {typed}")
    if known[name].boolean:
        values[name] = _boolean(typed, value) if equals else "true"
    elif equals:
        values[name] = value
    elif rest:
        values[name] = rest.pop(0)
    else:
        raise UsageError(f"flag needs an argument: {typed}")


def _boolean(typed: str, value: str) -> str:
    if value in TRUE:
        return "true"
    if value in FALSE:
        return "false"
    raise UsageError(f'invalid boolean value "{value}" for {typed}')


def usage(program: str, flags: Sequence[Flag]) -> str:
    """Return the usage text."""
    lines = [f"Usage of {program}:"]
    for flag in sorted(flags, key=lambda flag: flag.name):
        default = f" (default {flag.default})" if flag.default else ""
        lines.append(f"  -{flag.name}{'' if flag.boolean else ' value'}")
        lines.append(f"    \t{flag.help}{default}")
    return "\n".join(lines) + "\n"


def duration(text: str) -> float:
    """Return the seconds of a Go duration such as `2m0s`, `1.5h` or `300ms`.

    Raises:
        UsageError: the text is not a duration; a number needs a unit.
    """
    import re

    part = "|".join(sorted(SECONDS, key=len, reverse=True))
    if not re.fullmatch(rf"[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:{part}))+)", text):
        raise UsageError(f'invalid duration "{text}": write it like 2m30s')
    parts = re.findall(rf"(\d+\.?\d*|\.\d+)({part})", text)
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    return -total if text.startswith("-") else total
