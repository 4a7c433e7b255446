# SPDX-License-Identifier: Apache-2.0
"""`ignition explain [CODE]`: list the codes of findings, or explain one of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from ignition.config.codes import Code, codes
from ignition.verbs.console import complain, say

__all__ = ["main"]

WIDTH = 100


def main(arguments: Sequence[str]) -> int:
    """Explain the code that the arguments name; return the exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="ignition explain",
        description="List the codes of findings, or explain one of them.",
        allow_abbrev=False,
    )
    parser.add_argument("code", nargs="?", metavar="CODE", help="a code, printed in brackets after a finding")
    name = parser.parse_args(arguments).code
    known = codes()
    if name is None:
        say("".join(listed(known.values())))
        return 0
    if name not in known:
        complain(f"ignition explain: code {name} not found\n  hint: {_hint(name, known)}\n")
        return 2
    say("\n".join(page(known[name])) + "\n")
    return 0


def listed(known: Iterable[Code]) -> Iterator[str]:
    """Yield one line per code."""
    for code in known:
        yield f"{code.name:<30} {code.severity.value:<8} {code.title}\n"


def page(code: Code) -> Iterator[str]:
    """Yield the lines of the explanation of a code."""
    yield f"{code.name} ({code.severity.value}): {code.title}"
    yield ""
    yield from textwrap.wrap(code.cause, WIDTH)
    yield from _example(code, code.wrong, "Wrong")
    yield ""
    yield from textwrap.wrap(code.remedy, WIDTH)
    yield from _example(code, code.right, "Right")


def _example(code: Code, example: str | None, title: str) -> Iterator[str]:
    if example:
        yield ""
        yield f"  {title} (spec {code.spec}):" if not example.startswith("{") else f"  {title}:"
        yield f"    {example}"


def _hint(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    similar = get_close_matches(name, known, n=1)
    return f"use {similar[0]}" if similar else "run `ignition explain` to list all codes"
