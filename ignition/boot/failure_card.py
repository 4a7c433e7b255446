"""The failure card: what an operator at the console has to know, on one screen.

At most twenty lines: the stage, the place in the config, what was being done,
the command that failed with the end of its error, and what to try. It holds no
config contents; messages are free of them by the rule of `ignition.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from ignition.configpath import ConfigPath, format_path
from ignition.diagnostics import Entry, Severity
from ignition.errors import (
    ActionFailed,
    CommandFailed,
    ConfigError,
    IgnitionError,
    NotFound,
    Refused,
    TimedOut,
    causes,
    text_of,
)
from ignition.text import printable

__all__ = ["failure_card"]

T = TypeVar("T")

WIDTH: Final = 78
LINES: Final = 18
"""The console glue puts a prompt below the card; both fit on twenty lines."""
RULE: Final = "-" * WIDTH
LABEL_WIDTH: Final = 9
SHOWN: Final = 5
"""How many findings are listed before the rest is only counted."""


def failure_card(stage: str, error: BaseException, place: str = "", record: str = "") -> str:
    """The card for a stage that ended with this error.

    Args:
        stage: the stage's name.
        error: what was caught; its causes are followed.
        place: line and source of the place in the config, where known.
        record: the file that tells what was done before, if there is one.

    Returns:
        At most eighteen lines of at most 78 characters, with a newline at the end.
    """
    chain = list(causes(error))
    rows: list[tuple[str, str]] = [("stage", stage)]
    rows += [("config", format_path(path)) for path in first(path_of(link) for link in chain)]
    rows += [("", f"({place})")] if place else []
    rows += [("doing", link.message.partition(":")[0]) for link in first(actions(chain))]
    rows += [("command", str(link.command)) for link in first(commands(chain))]
    rows += [("cause", line) for line in cause(chain)]
    rows.append(("try", next(hints(chain), "") or general_hint(chain)))
    return assemble(rows, row("done", f"see {record}") if record else [])


def assemble(rows: Iterable[tuple[str, str]], always: Iterable[str] = ()) -> str:
    """Lay the rows out, and the lines `always`; the causes give way when there are too many lines."""
    head = [
        RULE,
        "Ignition could not set this machine up. The boot stops here; nothing more was",
        "changed, and the next boot will try again from the start.",
        "",
    ]
    foot = [*always, "", "All there is to know: journalctl -t ignition", RULE]
    body = [line for label, text in rows for line in row(label, text)]
    room = LINES - len(head) - len(foot)
    if len(body) > room:
        last = row(*list(rows)[-1])
        body = [*body[: room - len(last) - 1], " " * LABEL_WIDTH + "…", *last]
    return "\n".join([*head, *body, *foot]) + "\n"


def row(label: str, text: str) -> list[str]:
    """One labelled text, wrapped; at most four lines. No path or message makes the console obey it."""
    import textwrap

    width = WIDTH - LABEL_WIDTH
    shown = (printable(line.expandtabs()) for line in text.splitlines())
    lines = [part for line in shown for part in textwrap.wrap(line, width) or [""]]
    if len(lines) > 4:
        lines = [*lines[:2], "…", lines[-1]]
    indented = [f"{'':{LABEL_WIDTH}}{line}" for line in lines[1:]]
    return [f"{label:<{LABEL_WIDTH}}{lines[0] if lines else ''}", *indented]


def path_of(link: BaseException) -> ConfigPath | None:
    """The place in the config that an error belongs to."""
    return link.path if isinstance(link, IgnitionError) else None


def actions(chain: Iterable[BaseException]) -> Iterator[ActionFailed]:
    """The actions in a chain of errors."""
    return (link for link in chain if isinstance(link, ActionFailed))


def commands(chain: Iterable[BaseException]) -> Iterator[CommandFailed]:
    """The failed commands in a chain of errors."""
    return (link for link in chain if isinstance(link, CommandFailed))


def first(items: Iterable[T | None]) -> list[T]:
    """A list of the first item that is not None, or an empty one."""
    return next(([item] for item in items if item is not None), [])


def cause(chain: list[BaseException]) -> Iterator[str]:
    """What went wrong, innermost, without what the other rows already say."""
    told = [link for link in chain if isinstance(link, IgnitionError) and not isinstance(link, ActionFailed)]
    system = [link for link in chain if isinstance(link, OSError)]
    innermost = (told or system or chain)[-1]
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
            yield f"it ended with status {innermost.ran.status}"
            yield from tail
        case _:
            yield text_of(innermost)


def hints(chain: Iterable[BaseException]) -> Iterator[str]:
    """What the errors, or the findings of a report, say may be tried."""
    for link in chain:
        if isinstance(link, IgnitionError) and link.hint:
            yield link.hint
        if isinstance(link, ConfigError):
            yield from (entry.hint for entry in errors_of(link) if entry.hint)


def errors_of(error: ConfigError) -> list[Entry]:
    """The findings that make a config unusable."""
    return [entry for entry in error.report if entry.severity is Severity.ERROR]


def general_hint(chain: list[BaseException]) -> str:
    """What to try when the error itself does not know."""
    for link in reversed(chain):
        match link:
            case ConfigError():
                return "check the config with `ignition-validate` before booting with it"
            case NotFound() | TimedOut():
                return "check the address, and that this machine's network reaches it"
            case Refused():
                return "change the config, or remove by hand what is in the way"
            case _:
                continue
    return "correct the cause and boot again"
