# SPDX-License-Identifier: Apache-2.0
"""Words of a kernel command line, and requested changes of them.

The kernel splits its command line at white space outside double quotes, and stops at the word `--`: later
words are for init (lib/cmdline.c, `next_arg`; kernel-parameters.txt, "The kernel parses parameters from the
kernel command line up to --"). A requested argument may have several words. It exists if they follow each
other, and is appended as a whole otherwise.

The reference's example of a helper searches the text without regard to quotes (docs/reference/stages.md,
"kargs stage").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError
from ignition.tools import cmdline

__all__ = [
    "KERNEL",
    "ArgumentRequest",
    "Syntax",
    "Word",
    "apply_request",
    "is_satisfied",
    "kernel_words",
    "lines_of",
    "new_lines",
]

ROUNDS: Final = 8
"""Rounds after which a request that keeps changing the line counts as contradictory."""

SEPARATOR: Final = "--"


@dataclass(frozen=True)
class Word:
    """One word in a file.

    Attributes:
        text: the word in the syntax of the file.
        meaning: the argument for the kernel, without quotes; None if the boot loader replaces it.
        line: index of the line that contains it.
    """

    text: str
    meaning: str | None
    line: int = 0


@dataclass(frozen=True)
class Syntax:
    """The syntax of command lines in a file.

    Attributes:
        words: splits a line into words. Raises `IgnitionError` for invalid syntax.
        spell: quotes a word of the kernel. Raises `IgnitionError` if the syntax cannot express it.
    """

    words: Callable[[str], list[Word]]
    spell: Callable[[str], str]


@dataclass(frozen=True)
class ArgumentRequest:
    """The requested kernel arguments: those that should exist, and those that should not."""

    should_exist: tuple[str, ...] = ()
    should_not_exist: tuple[str, ...] = ()

    def check(self) -> None:
        """Check that the arguments can be written on a command line.

        Raises:
            IgnitionError: unbalanced quotes, an unprintable character, or the word `--`.
        """
        for argument in (*self.should_exist, *self.should_not_exist):
            if argument.count('"') % 2:
                raise IgnitionError(f"unbalanced quotes in the kernel argument {argument}")
            if not argument.isprintable():
                raise IgnitionError(f"unprintable character in the kernel argument {argument!r}")
            if SEPARATOR in argument.split(" "):
                raise IgnitionError(
                    f"the kernel argument {argument} contains the word --, which ends the arguments"
                )

    @property
    def removals_only(self) -> ArgumentRequest:
        """The request for a line that does not get new arguments."""
        return ArgumentRequest(should_not_exist=self.should_not_exist)


def lines_of(text: str) -> list[str]:
    """Split a file at line feeds, which are kept; `str.splitlines` also splits at other characters."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def kernel_words(text: str) -> list[Word]:
    """Split a command line like the kernel."""
    return [Word(word, word.replace('"', "")) for word in cmdline.quoted_words(text)]


def _closed(text: str) -> list[Word]:
    if text.count('"') % 2:
        raise IgnitionError("unterminated quote")
    return kernel_words(text)


KERNEL: Final = Syntax(_closed, lambda word: word)
"""The syntax of the kernel itself."""


def is_satisfied(request: ArgumentRequest, line: str) -> bool:
    """Whether a command line has the requested arguments."""
    return _fits(_split(kernel_words(line))[0], request)


def apply_request(
    words: Sequence[Word], request: ArgumentRequest, spell: Callable[[str], str] = KERNEL.spell
) -> list[Word]:
    """Return the words with the requested arguments; unchanged if they have these already.

    Unwanted arguments are removed everywhere, then missing ones are appended in the order of the request.
    Other words keep their text and order. This is repeated while one change creates or breaks another
    argument. A second call with the same request changes nothing.

    Raises:
        IgnitionError: the request is contradictory.
    """
    kernel, rest = _split(words)
    last = kernel[-1].line if kernel else rest[0].line if rest else 0
    for _ in range(ROUNDS):
        if _fits(kernel, request):
            return kernel + rest
        for argument in request.should_not_exist:
            kernel = _without(kernel, _meanings(argument))
        for argument in request.should_exist:
            if _index(kernel, _meanings(argument)) is None:
                kernel += [Word(spell(word.text), word.meaning, last) for word in kernel_words(argument)]
    raise IgnitionError(
        "contradictory kernel arguments:"
        f" with {', '.join(request.should_exist)} and without {', '.join(request.should_not_exist)}",
        hint="remove the contradiction between shouldExist and shouldNotExist",
    )


def new_lines(lines: Sequence[str], request: ArgumentRequest, syntax: Syntax) -> list[str] | None:
    """Return the lines, which form one command line, with the requested arguments; None if unchanged.

    New words are added on the line of the last word.

    Raises:
        IgnitionError: invalid syntax, or the syntax cannot express the request.
    """
    words = [
        Word(word.text, word.meaning, number)
        for number, line in enumerate(lines)
        for word in syntax.words(line)
    ]
    new = apply_request(words, request, syntax.spell)
    if new == words:
        return None
    return [_line(number, line, words, new) for number, line in enumerate(lines)]


def _line(number: int, line: str, old: Sequence[Word], new: Sequence[Word]) -> str:
    """Return one of the lines; it keeps its spaces if its words do not change."""
    kept = [word for word in old if word.line == number]
    words = [word for word in new if word.line == number]
    return line if words == kept else " ".join(word.text for word in words)


def _split(words: Sequence[Word]) -> tuple[list[Word], list[Word]]:
    """Split words into those for the kernel and those for init."""
    meanings = [word.meaning for word in words]
    end = meanings.index(SEPARATOR) if SEPARATOR in meanings else len(words)
    return list(words[:end]), list(words[end:])


def _meanings(argument: str) -> list[str | None]:
    return [word.meaning for word in kernel_words(argument)]


def _index(words: Sequence[Word], wanted: Sequence[str | None]) -> int | None:
    """Return the index at which these meanings follow each other, or None; 0 for no meanings."""
    meanings = [word.meaning for word in words]
    ends = range(len(meanings) - len(wanted) + 1)
    return next((at for at in ends if meanings[at : at + len(wanted)] == wanted), None)


def _without(words: list[Word], unwanted: Sequence[str | None]) -> list[Word]:
    while unwanted and (at := _index(words, unwanted)) is not None:
        words = words[:at] + words[at + len(unwanted) :]
    return words


def _fits(words: Sequence[Word], request: ArgumentRequest) -> bool:
    def there(arguments: Iterable[str]) -> Iterable[bool]:
        return (_index(words, found) is not None for argument in arguments if (found := _meanings(argument)))

    return all(there(request.should_exist)) and not any(there(request.should_not_exist))
