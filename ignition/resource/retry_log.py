"""What is said of a fetch that fails and is tried again: each cause once, a lasting one ever more rarely.

The log has a line for each new cause. A failure that lasts is said on the console of a
boot as well: after ten seconds, and then at intervals that grow to ten minutes. Of fetches
that wait for the same to pass, one speaks for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

from ignition import log
from ignition.errors import TimedOut
from ignition.host import progress

if TYPE_CHECKING:
    from ignition.resource.retry import Deadline

__all__ = ["Cause", "History"]

FIRST_REMINDER: Final = 10.0
LONGEST_INTERVAL: Final = 600.0
"""Both in seconds; the intervals between them double."""

ENDLESS: Final = "tried for ever, as no ignition.timeouts.httpTotal is set"


@dataclass(frozen=True)
class Cause:
    """Why something failed, in the user's terms, and what to try.

    `detail` is what may be another in each attempt; it makes no other cause.
    """

    text: str
    hint: str = ""
    detail: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.text} {self.detail}".rstrip()

    def with_detail(self, detail: str) -> Self:
        """The same cause, with something more to say of this attempt."""
        return replace(self, detail=f"{self.detail} {detail}".strip())


@dataclass(eq=False)
class _Trouble:
    """A time in which a fetch brings nothing, by its clock; what is said of it."""

    what: str
    limit: float
    since: float
    due: float
    interval: float = FIRST_REMINDER
    attempts: int = 0
    cause: Cause = Cause("")

    def told(self, now: float, others: int) -> str:
        """The line for it, which speaks for so many others."""
        whose = f"{self.what} and {_count(others, 'other')}" if others else self.what
        tried = f"{_time(now - self.since)}, {_count(self.attempts, 'attempt')}"
        hint = f" ({self.cause.hint})" if self.cause.hint else ""
        end = f"given up after {self.limit:g} s" if self.limit > 0 else ENDLESS
        return f"{whose}: failing for {tried}: {self.cause}{hint}; {end}"


_lock: Final = Lock()
_troubles: Final[set[_Trouble]] = set()
"""Those of all fetches of this process that have failed."""


class History:
    """Of one fetch: what was tried, and what of it has been said. A context manager that ends with it."""

    def __init__(self, what: str, deadline: Deadline) -> None:
        self._what = what
        self._deadline = deadline
        self._attempts = 0
        self._said: set[Cause] = set()
        self._repeated = False
        self._trouble = self._from_now_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()

    def attempt(self) -> None:
        """Another one begins."""
        self._attempts += 1
        say = log.debug if self._repeated else log.info
        say(f"{self._what}: attempt #{self._attempts}")

    def failed(self, cause: Cause, *, progressed: bool) -> None:
        """It failed; `progressed` says that it brought something nevertheless."""
        self._repeated = cause in self._said
        if not self._repeated:
            self._said.add(cause)
            log.info(f"{self._what}: error: {cause}")
        if progressed:
            self._forget()
            self._trouble = self._from_now_on()
        self._trouble.attempts += 1
        self._trouble.cause = cause
        if reminder := _reminder(self._trouble, self._deadline.now()):
            progress.say(reminder)

    def timed_out(self) -> TimedOut:
        """The error for a fetch whose time is up."""
        last = self._trouble.cause
        tried = f"{self._deadline.total:g} s, {_count(self._attempts, 'attempt')}"
        return TimedOut(f"{self._what}: not in time ({tried}); last failure: {last}", hint=last.hint)

    def _from_now_on(self) -> _Trouble:
        now = self._deadline.now()
        return _Trouble(self._what, self._deadline.total, now, now + FIRST_REMINDER)

    def _forget(self) -> None:
        with _lock:
            _troubles.discard(self._trouble)


def _reminder(trouble: _Trouble, now: float) -> str:
    """What to say of it, and of all with the same cause, if it is time; none of them says it again soon."""
    with _lock:
        _troubles.add(trouble)
        if now < trouble.due:
            return ""
        alike = [each for each in _troubles if each.cause == trouble.cause]
        interval = min(LONGEST_INTERVAL, 2 * max(each.interval for each in alike))
        for each in alike:
            each.interval, each.due = interval, now + interval
        return min(alike, key=lambda each: each.since).told(now, len(alike) - 1)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _time(seconds: float) -> str:
    """As one reads it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
