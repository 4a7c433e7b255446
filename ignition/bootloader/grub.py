# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments in GRUB's files: the script grub.cfg, and the environment block grubenv.

In a script, arguments are the words of `linux` commands, quoted as in a shell. GRUB adds double quotes to
arguments with spaces when it passes them to the kernel. Arguments may also be in the variable `kernelopts`,
which the script or the environment block sets. GRUB splits variables at spaces.
Source: GRUB's manual, "Shell-like scripting" and "The GRUB environment block"; grub-core/lib/cmdline.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ignition.bootloader.arguments import ArgumentRequest, Syntax, Word, kernel_words, lines_of, new_lines
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
"""A kernel command in the middle of a line, outside of quotes and comments."""
ENTRIES: Final = re.compile(r"^[ \t]*blscfg\b", re.MULTILINE)

SIGNATURE: Final = b"# GRUB Environment Block\n"
"""The block has a fixed size, and is padded with `#`."""


def reads_entries(config: str) -> bool:
    """Whether a script loads Boot Loader Specification entries."""
    return ENTRIES.search(config) is not None


def uses_variable(line: str) -> bool:
    """Whether a command line uses the variable `kernelopts`."""
    return re.search(r"\$(?:kernelopts\b|\{kernelopts\})", line) is not None


def kernels(config: str) -> list[str]:
    """Return the words of each kernel command, and the value of each `kernelopts`."""
    lines = config.split("\n")
    places = (LINUX.fullmatch(line) or SETS.fullmatch(line) for line in lines)
    return [*(found[2] for found in places if found), *filter(AMIDST.match, lines)]


def new_config(config: str, request: ArgumentRequest) -> str:
    """Return the script with the requested arguments for all kernels; nothing else changes.

    Raises:
        IgnitionError: a line is invalid, or cannot express the request; the message has the line number.
    """
    return "".join(_numbered(config, request))


def _numbered(config: str, request: ArgumentRequest) -> Iterator[str]:
    for number, whole in enumerate(lines_of(config), 1):
        line = whole.rstrip("\n")
        try:
            yield _new_line(line, request) + whole[len(line) :]
        except IgnitionError as error:
            raise IgnitionError(f"line {number}: {error}", hint=error.hint) from error


def _new_line(line: str, request: ArgumentRequest) -> str:
    if found := LINUX.fullmatch(line):
        words, rest = _command(found["words"])
        wanted = request.removals_only if uses_variable(words) else request
        new = new_lines([words], wanted, SCRIPT)
        return line if new is None else f"{found['command']} {new[0]}".rstrip() + rest
    if found := SETS.fullmatch(line):
        value, quote = _unquoted(found["value"])
        new = new_lines([value], request, VARIABLE)
        if new is None:
            return line
        # GRUB ends an unquoted value at the first space. An unquoted value with spaces has another reader.
        quote = quote or ("" if " " in value else '"')
        return f"{found['name']}{quote}{new[0]}{quote}{found['end']}"
    if AMIDST.match(line):
        raise IgnitionError(
            "unsupported kernel command in the middle of a line", hint="put each command on its own line"
        )
    return line


def new_environment(block: bytes, request: ArgumentRequest) -> bytes:
    """Return the environment block with the requested arguments in `kernelopts`, if it has that variable.

    Raises:
        IgnitionError: not an environment block, or the block is full.
    """
    if not block.startswith(SIGNATURE):
        raise IgnitionError("not a GRUB environment block")
    lines = block.rstrip(b"#").decode("utf-8", "surrogateescape").splitlines(keepends=True)
    for number, line in enumerate(lines):
        name, equals, value = line.partition("=")
        if name == "kernelopts" and equals:
            new = new_lines([value.rstrip("\n")], request, VARIABLE)
            if new is not None:
                lines[number] = f"kernelopts={new[0]}\n"
    made = "".join(lines).encode("utf-8", "surrogateescape")
    if len(made) > len(block):
        raise IgnitionError(f"the GRUB environment block is full: {len(made)} bytes of {len(block)}")
    return made.ljust(len(block), b"#")


def sets_variable(block: bytes) -> bool:
    """Whether an environment block sets `kernelopts`."""
    return b"\nkernelopts=" in block


def _command(text: str) -> tuple[str, str]:
    """Split a line into the words of a command and the rest: a comment, another command, a brace."""
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
        raise IgnitionError(f"unsupported {rest.strip()[0]} in the kernel arguments of a GRUB script")
    return [Word(found[0], _meaning(found[0])) for found in WORD.finditer(words)]


def _meaning(word: str) -> str | None:
    """Return the argument that GRUB reads from a word; None if the word contains a variable."""
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
    """Return a word in the kernel's quotes if GRUB reads them alike, else in GRUB's quotes."""
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
        raise IgnitionError(f"the argument {word} cannot be in a GRUB variable, which is split at spaces")
    return word


def _variable_words(text: str) -> list[Word]:
    return [Word(word.text, None if "$" in word.text else word.meaning) for word in kernel_words(text)]


def _unquoted(value: str) -> tuple[str, str]:
    """Split a value into its text and its quote."""
    for quote in ('"', "'"):
        if len(value) > 1 and value[0] == value[-1] == quote:
            if quote in value[1:-1] or "\\" in value:
                raise IgnitionError("kernelopts has nested quotes")
            return value[1:-1], quote
    return value, ""


SCRIPT: Final = Syntax(_script_words, _spell_in_script)
"""Syntax of commands in grub.cfg, and of options in entries that GRUB reads."""

VARIABLE: Final = Syntax(_variable_words, _spell_in_variable)
"""Syntax of a variable that is split into words of a command."""
