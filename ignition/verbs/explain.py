"""`ignition explain [CODE]`: what the codes of findings mean, or what one of them means in full."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from ignition.config.codes import Code, codes
from ignition.verbs.console import complain, say

__all__ = ["main"]

WIDTH = 100


def main(arguments: Sequence[str]) -> int:
    """Explain what the arguments name; returns the exit status."""
    import argparse

    parser = argparse.ArgumentParser(prog="ignition explain", description=__doc__, allow_abbrev=False)
    parser.add_argument("code", nargs="?", metavar="CODE", help="a code, as findings have it in brackets")
    name = parser.parse_args(arguments).code
    known = codes()
    if name is None:
        say("".join(listed(known.values())))
        return 0
    if name not in known:
        complain(f"ignition explain: no finding has the code {name}{_meant(name, known)}\n")
        return 2
    say("\n".join(page(known[name])) + "\n")
    return 0


def listed(known: Iterable[Code]) -> Iterator[str]:
    """One line per code."""
    for code in known:
        yield f"{code.name:<30} {code.severity.value:<8} {code.title}\n"


def page(code: Code) -> Iterator[str]:
    """All that there is to say of one code, line by line."""
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


def _meant(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    meant = get_close_matches(name, known, n=1)
    return f"; did you mean {meant[0]}?" if meant else "; `ignition explain` lists all"
