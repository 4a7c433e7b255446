"""GRUB's files: the script grub.cfg, and the environment block grubenv.

In a script, arguments are the words of `linux` commands, quoted as in a shell; GRUB puts quotes around
those with blanks again when it hands them to the kernel. Or they are in the variable `kernelopts`, which
the script sets, or the environment block. A variable is split at blanks wherever it is used.
Source: GRUB's manual, "Shell-like scripting" and "The GRUB environment block"; its grub-core/lib/cmdline.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ignition.bootloader.arguments import Syntax, Wish, Word, kernel_words, lines_of, new_lines
from ignition.errors import IgnitionError

__all__ = [
    "SCRIPT",
    "VARIABLE",
    "kernels",
    "new_config",
    "new_environment",
    "reads_entries",
    "sets_variable",
    "uses_variable",
]

WORD: Final = re.compile(r"""(?:[^\s"'\\;|&<>]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")
PIECE: Final = re.compile(
    r"""\\(?P<escaped>.)|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<plain>.)"""
)
BLANKS: Final = re.compile(r"[ \t\r]*")
ENDS: Final = frozenset(";|&<>")

LINUX: Final = re.compile(r"(?P<command>[ \t]*linux(?:16|efi)?[ \t]+(?!\S*/memtest)\S+)(?P<words>.*)")
SETS: Final = re.compile(r"(?P<name>[ \t]*(?:set[ \t]+)?kernelopts=)(?P<value>.*?)(?P<end>[ \t\r]*)")
AMIDST: Final = re.compile(
    r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|[^'"#])*?(?:[;{&|]|\b(?:then|else|do))\s+linux(?:16|efi)?\s+(?!\S*/memtest)"""
)
"""A kernel that is started in the middle of a line, outside of quotes and comments."""
ENTRIES: Final = re.compile(r"^[ \t]*blscfg\b", re.MULTILINE)

SIGNATURE: Final = b"# GRUB Environment Block\n"
"""The block is as long as it was made, and filled up with `#`."""


def reads_entries(config: str) -> bool:
    """Whether this script shows the entries of the Boot Loader Specification."""
    return ENTRIES.search(config) is not None


def uses_variable(line: str) -> bool:
    """Whether `kernelopts` is put into this command line."""
    return re.search(r"\$(?:kernelopts\b|\{kernelopts\})", line) is not None


def kernels(config: str) -> list[str]:
    """The words of each command that starts a kernel, and the value of each `kernelopts`."""
    lines = config.split("\n")
    places = (LINUX.fullmatch(line) or SETS.fullmatch(line) for line in lines)
    return [*(found[2] for found in places if found), *filter(AMIDST.match, lines)]


def new_config(config: str, wish: Wish) -> str:
    """The script with the arguments of all kernels as wished; all else stays as it is.

    Raises:
        IgnitionError: a line cannot be understood, or the arguments cannot be written; names the line.
    """
    return "".join(_numbered(config, wish))


def _numbered(config: str, wish: Wish) -> Iterator[str]:
    for number, whole in enumerate(lines_of(config), 1):
        line = whole.rstrip("\n")
        try:
            yield _new_line(line, wish) + whole[len(line) :]
        except IgnitionError as error:
            raise IgnitionError(f"line {number}: {error}", hint=error.hint) from error


def _new_line(line: str, wish: Wish) -> str:
    if found := LINUX.fullmatch(line):
        words, rest = _command(found["words"])
        wanted = wish.without_additions if uses_variable(words) else wish
        new = new_lines([words], wanted, SCRIPT)
        return line if new is None else f"{found['command']} {new[0]}".rstrip() + rest
    if found := SETS.fullmatch(line):
        value, quote = _unquoted(found["value"])
        new = new_lines([value], wish, VARIABLE)
        if new is None:
            return line
        # GRUB ends an assignment at the first blank; who has blanks without quotes has a reader of its own.
        quote = quote or ("" if " " in value else '"')
        return f"{found['name']}{quote}{new[0]}{quote}{found['end']}"
    if AMIDST.match(line):
        raise IgnitionError(
            "unsupported kernel command in the middle of a line", hint="put each command on a line of its own"
        )
    return line


def new_environment(block: bytes, wish: Wish) -> bytes:
    """The environment block with `kernelopts` as wished; without the variable, as it is.

    Raises:
        IgnitionError: it is no environment block, or has no room for more.
    """
    if not block.startswith(SIGNATURE):
        raise IgnitionError("not a GRUB environment block")
    lines = block.rstrip(b"#").decode("utf-8", "surrogateescape").splitlines(keepends=True)
    for number, line in enumerate(lines):
        name, equals, value = line.partition("=")
        if name == "kernelopts" and equals:
            new = new_lines([value.rstrip("\n")], wish, VARIABLE)
            if new is not None:
                lines[number] = f"kernelopts={new[0]}\n"
    made = "".join(lines).encode("utf-8", "surrogateescape")
    if len(made) > len(block):
        raise IgnitionError(f"the GRUB environment block is full: {len(made)} bytes of {len(block)}")
    return made.ljust(len(block), b"#")


def sets_variable(block: bytes) -> bool:
    """Whether an environment block has `kernelopts`."""
    return b"\nkernelopts=" in block


def _command(text: str) -> tuple[str, str]:
    """The words of a command, and what comes after it on the line: a comment, another command, a brace."""
    at = end = 0
    while found := BLANKS.match(text, at):
        at = found.end()
        word = WORD.match(text, at)
        if word is None or word[0][0] == "#" or word[0] in {"{", "}"}:
            break
        at = end = word.end()
    rest = text[at:]
    if rest and rest[0] not in ENDS and rest[0] not in "#{}":
        raise IgnitionError("unterminated quote, or the command continues on the next line")
    return text[:end], text[end:]


def _script_words(text: str) -> list[Word]:
    words, rest = _command(text)
    if rest.strip():
        raise IgnitionError(f"{rest.strip()[0]} ends the kernel's arguments in a script of GRUB's")
    return [Word(found[0], _meaning(found[0])) for found in WORD.finditer(words)]


def _meaning(word: str) -> str | None:
    """What GRUB makes of a word; `None` if it puts a variable into it."""
    made = ""
    for piece in PIECE.finditer(word):
        plain, double, single, escaped = (piece[name] for name in ("plain", "double", "single", "escaped"))
        if double is not None:
            if re.search(r"(?<!\\)\$", double):
                return None
            made += re.sub(r'\\(["\\$])', r"\1", double)
        elif plain == "$":
            return None
        else:
            made += single if single is not None else escaped or plain or ""
    return made


def _spell_in_script(word: str) -> str:
    """As the kernel's own quotes have it, where GRUB understands these alike; else in GRUB's."""
    meaning = word.replace('"', "")
    if not re.fullmatch(r'[^"]*|(?:[^"=]*=)?"[^"]*"', word) or re.search(r"['\\$]", meaning):
        raise IgnitionError(f"GRUB cannot pass the argument {word} to the kernel unchanged")
    try:
        alike = [found.meaning for found in _script_words(word)] == [meaning]
    except IgnitionError:
        alike = False
    return word if alike else f"'{meaning}'"


def _spell_in_variable(word: str) -> str:
    if not re.fullmatch(r"[\w.,:/+@%^~=!-]+", word):
        raise IgnitionError(f"the argument {word} cannot be in a GRUB variable, which is split at blanks")
    return word


def _variable_words(text: str) -> list[Word]:
    return [Word(word.text, None if "$" in word.text else word.meaning) for word in kernel_words(text)]


def _unquoted(value: str) -> tuple[str, str]:
    """A value and the quote around it."""
    for quote in ('"', "'"):
        if len(value) > 1 and value[0] == value[-1] == quote:
            if quote in value[1:-1] or "\\" in value:
                raise IgnitionError("kernelopts has nested quotes")
            return value[1:-1], quote
    return value, ""


SCRIPT: Final = Syntax(_script_words, _spell_in_script)
"""The words of a command in grub.cfg, and options of entries that GRUB reads."""

VARIABLE: Final = Syntax(_variable_words, _spell_in_variable)
"""The value of a variable that becomes words of a command."""
