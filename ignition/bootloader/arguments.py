"""Words of a kernel command line, and what becomes of them when arguments are asked for.

The kernel splits its command line at white space outside double quotes, knows no other quoting, and stops
at a word `--`: what follows is for init (lib/cmdline.c, `next_arg`; kernel-parameters, "The kernel parses
parameters from the kernel command line up to --"). An argument that is asked for may be several words; it
is there when these follow each other, and is appended as a whole when it is not.

The reference's example of a helper looks for the same in a text, without quotes (engine.md 9.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError
from ignition.tools import cmdline

__all__ = ["KERNEL", "Syntax", "Wish", "Word", "changed", "is_met", "kernel_words", "lines_of", "new_lines"]

ROUNDS: Final = 8
"""How often arguments may take each other's place before they are said to contradict each other."""

SEPARATOR: Final = "--"


@dataclass(frozen=True)
class Word:
    """One word as it stands in a file.

    Attributes:
        text: how it is written.
        meaning: the argument that the kernel gets, without quotes; `None` if the boot loader puts something
            in its place.
        line: on which of several lines.
    """

    text: str
    meaning: str | None
    line: int = 0


@dataclass(frozen=True)
class Syntax:
    """How a file spells a command line.

    Attributes:
        words: the words of a line. Raises `IgnitionError` if it cannot be understood.
        spell: how a word of the kernel's is to be written. Raises `IgnitionError` if it cannot be.
    """

    words: Callable[[str], list[Word]]
    spell: Callable[[str], str]


@dataclass(frozen=True)
class Wish:
    """What the kernel is to boot with, and without."""

    should_exist: tuple[str, ...] = ()
    should_not_exist: tuple[str, ...] = ()

    def check(self) -> None:
        """See whether it can be written anywhere.

        Raises:
            IgnitionError: an argument has an odd number of quotes, or what no command line can hold.
        """
        for argument in (*self.should_exist, *self.should_not_exist):
            if argument.count('"') % 2:
                raise IgnitionError(f"the kernel argument {argument} has an odd number of quotes")
            if not argument.isprintable():
                raise IgnitionError(f"the kernel argument {argument!r} contains an unprintable character")
            if SEPARATOR in argument.split(" "):
                raise IgnitionError(
                    f"the kernel argument {argument} contains the word --, which ends the arguments"
                )

    @property
    def without_additions(self) -> Wish:
        """The same for a line that is not the place for new arguments."""
        return Wish(should_not_exist=self.should_not_exist)


def lines_of(text: str) -> list[str]:
    """The lines of a file, with their ends; Python's `splitlines` knows of ends that boot loaders do not."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def kernel_words(text: str) -> list[Word]:
    """The words of a command line as the kernel splits it."""
    return [Word(word, word.replace('"', "")) for word in cmdline.quoted_words(text)]


def _closed(text: str) -> list[Word]:
    if text.count('"') % 2:
        raise IgnitionError("unterminated quote")
    return kernel_words(text)


KERNEL: Final = Syntax(_closed, lambda word: word)
"""A file that has the command line as the kernel gets it."""


def is_met(wish: Wish, line: str) -> bool:
    """Whether a kernel with this command line was started as wished."""
    return _fits(_split(kernel_words(line))[0], wish)


def changed(words: Sequence[Word], wish: Wish, spell: Callable[[str], str] = KERNEL.spell) -> list[Word]:
    """The words as wished; the same if they are.

    Each that is not to be goes wherever it stands, then each that is to be and is not comes last, in the
    order of the wish; all others stay as and where they are. Where one makes or breaks another the same
    is done again. A second change with the same wish changes nothing.

    Raises:
        IgnitionError: the wish contradicts itself.
    """
    kernel, rest = _split(words)
    last = kernel[-1].line if kernel else rest[0].line if rest else 0
    for _ in range(ROUNDS):
        if _fits(kernel, wish):
            return kernel + rest
        for argument in wish.should_not_exist:
            kernel = _without(kernel, _meanings(argument))
        for argument in wish.should_exist:
            if _place(kernel, _meanings(argument)) is None:
                kernel += [Word(spell(word.text), word.meaning, last) for word in kernel_words(argument)]
    raise IgnitionError(
        "contradictory kernel arguments:"
        f" with {', '.join(wish.should_exist)} and without {', '.join(wish.should_not_exist)}",
        hint="remove the contradiction between shouldExist and shouldNotExist",
    )


def new_lines(lines: Sequence[str], wish: Wish, syntax: Syntax) -> list[str] | None:
    """Lines that make one command line together, as wished; `None` if they are.

    New words stand behind the last one that is there.

    Raises:
        IgnitionError: a line cannot be understood, or the wish cannot be written.
    """
    words = [
        Word(word.text, word.meaning, number)
        for number, line in enumerate(lines)
        for word in syntax.words(line)
    ]
    new = changed(words, wish, syntax.spell)
    if new == words:
        return None
    return [_line(number, line, words, new) for number, line in enumerate(lines)]


def _line(number: int, line: str, old: Sequence[Word], new: Sequence[Word]) -> str:
    """A line of several; one that keeps its words keeps its blanks too."""
    kept = [word for word in old if word.line == number]
    words = [word for word in new if word.line == number]
    return line if words == kept else " ".join(word.text for word in words)


def _split(words: Sequence[Word]) -> tuple[list[Word], list[Word]]:
    """What is for the kernel, and what is for init."""
    meanings = [word.meaning for word in words]
    end = meanings.index(SEPARATOR) if SEPARATOR in meanings else len(words)
    return list(words[:end]), list(words[end:])


def _meanings(argument: str) -> list[str | None]:
    return [word.meaning for word in kernel_words(argument)]


def _place(words: Sequence[Word], wanted: Sequence[str | None]) -> int | None:
    """Where these meanings follow each other; nothing is everywhere."""
    meanings = [word.meaning for word in words]
    ends = range(len(meanings) - len(wanted) + 1)
    return next((at for at in ends if meanings[at : at + len(wanted)] == wanted), None)


def _without(words: list[Word], unwanted: Sequence[str | None]) -> list[Word]:
    while unwanted and (at := _place(words, unwanted)) is not None:
        words = words[:at] + words[at + len(unwanted) :]
    return words


def _fits(words: Sequence[Word], wish: Wish) -> bool:
    def there(arguments: Iterable[str]) -> Iterable[bool]:
        return (_place(words, found) is not None for argument in arguments if (found := _meanings(argument)))

    return all(there(wish.should_exist)) and not any(there(wish.should_not_exist))
