# SPDX-License-Identifier: Apache-2.0
"""The failure card: one screen for the operator at the console.

At most twenty lines: the stage, the place in the config, the action, the failed
command with the end of its stderr, and a hint. It contains no config contents,
because messages contain none (`ignition.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from ignition.configpath import ConfigPath, format_path
from ignition.diagnostics import Entry, Severity
from ignition.errors import (
    ActionFailed,
    ConfigError,
    IgnitionError,
    NotFound,
    Refused,
    TimedOut,
    causes,
    text_of,
)
from ignition.host.command import CommandFailed
from ignition.text import printable

__all__ = ["failure_card"]

T = TypeVar("T")

WIDTH: Final = 78
LINES: Final = 18
"""The emergency script prints a prompt below the card; both fit on twenty lines."""
RULE: Final = "-" * WIDTH
LABEL_WIDTH: Final = 9
SHOWN: Final = 5
"""The number of findings that are listed; the rest is counted."""


def failure_card(stage: str, error: BaseException, place: str = "", record: str = "") -> str:
    """Return the card of a stage that failed.

    Args:
        stage: the stage's name.
        error: the exception; its causes are followed.
        place: line and source of the place in the config; empty where unknown.
        record: path of the provisioning record; empty if there is none.

    Returns:
        At most eighteen lines of at most 78 characters, with a newline at the end.
    """
    chain = list(causes(error))
    rows: list[tuple[str, str]] = [("stage", stage)]
    rows += [("config", format_path(path)) for path in first(path_of(link) for link in chain)]
    rows += [("", f"({place})")] if place else []
    rows += [("action", link.action) for link in first(actions(chain))]
    rows += [("command", str(link.command)) for link in first(commands(chain))]
    rows += [("cause", line) for line in cause(chain)]
    rows.append(("try", next(hints(chain), "") or general_hint(chain)))
    return assemble(rows, row("record", record) if record else [])


def assemble(rows: Iterable[tuple[str, str]], always: Iterable[str] = ()) -> str:
    """Lay out the rows, and the lines `always`; causes are shortened when there are too many lines."""
    head = [
        RULE,
        "Provisioning failed. The boot is halted and no further changes are made.",
        "The next boot tries again from the start.",
        "",
    ]
    foot = [*always, "", "Full log: journalctl -t ignition", RULE]
    body = [line for label, text in rows for line in row(label, text)]
    room = LINES - len(head) - len(foot)
    if len(body) > room:
        last = row(*list(rows)[-1])
        body = [*body[: room - len(last) - 1], " " * LABEL_WIDTH + "…", *last]
    return "\n".join([*head, *body, *foot]) + "\n"


def row(label: str, text: str) -> list[str]:
    """Return one labelled text, wrapped to at most four lines; control characters are escaped."""
    import textwrap

    width = WIDTH - LABEL_WIDTH
    shown = (printable(line.expandtabs()) for line in text.splitlines())
    lines = [part for line in shown for part in textwrap.wrap(line, width) or [""]]
    if len(lines) > 4:
        lines = [*lines[:2], "…", lines[-1]]
    indented = [f"{'':{LABEL_WIDTH}}{line}" for line in lines[1:]]
    return [f"{label:<{LABEL_WIDTH}}{lines[0] if lines else ''}", *indented]


def path_of(link: BaseException) -> ConfigPath | None:
    """Return the place in the config that an error belongs to."""
    return link.path if isinstance(link, IgnitionError) else None


def actions(chain: Iterable[BaseException]) -> Iterator[ActionFailed]:
    """Yield the failed actions in a chain of errors."""
    return (link for link in chain if isinstance(link, ActionFailed))


def commands(chain: Iterable[BaseException]) -> Iterator[CommandFailed]:
    """Yield the failed commands in a chain of errors."""
    return (link for link in chain if isinstance(link, CommandFailed))


def first(items: Iterable[T | None]) -> list[T]:
    """Return a list of the first item that is not None, or an empty list."""
    return next(([item] for item in items if item is not None), [])


def cause(chain: list[BaseException]) -> Iterator[str]:
    """Yield the innermost cause, without what the other rows show."""
    named = [link for link in chain if isinstance(link, IgnitionError) and not isinstance(link, ActionFailed)]
    system = [link for link in chain if isinstance(link, OSError)]
    innermost = (named or system or chain)[-1]
    match innermost:
        case ConfigError() if innermost.report:
            errors = errors_of(innermost)
            yield innermost.message
            yield from map(str, errors[:SHOWN])
            if len(errors) > SHOWN:
                yield f"and {len(errors) - SHOWN} more"
        case Refused():
            yield from map(str, innermost.refusals[:SHOWN])
            if len(innermost.refusals) > SHOWN:
                yield f"and {len(innermost.refusals) - SHOWN} more"
        case CommandFailed():
            tail = innermost.ran.stderr.strip().splitlines()[-3:]
            yield f"exit status {innermost.ran.status}"
            yield from tail
        case _:
            yield text_of(innermost)


def hints(chain: Iterable[BaseException]) -> Iterator[str]:
    """Yield the hints of the errors and of their reports."""
    for link in chain:
        if isinstance(link, IgnitionError) and link.hint:
            yield link.hint
        if isinstance(link, ConfigError):
            yield from (entry.hint for entry in errors_of(link) if entry.hint)


def errors_of(error: ConfigError) -> list[Entry]:
    """Return the findings that make a config invalid."""
    return [entry for entry in error.report if entry.severity is Severity.ERROR]


def general_hint(chain: list[BaseException]) -> str:
    """Return a hint for errors that have none."""
    for link in reversed(chain):
        match link:
            case ConfigError():
                return "check the config with `ignition validate`, correct it, and boot again"
            case NotFound() | TimedOut():
                return "check the URL, and that this machine reaches the server"
            case Refused():
                return "change the config, or remove the conflicting object by hand, and boot again"
            case _:
                continue
    return "correct the cause and boot again"
