"""What is wrong with the world, and how a program ends because of it.

    IgnitionError                      exit 1
    ├── ConfigError(report)            the config is wrong; the report says where
    ├── EmptyConfig                    no config given: not a failure for the engine
    ├── NoProvider                     this source has nothing to say; ask the next one
    ├── NeedNetwork(paths)             control flow of fetch-offline; names the fields
    ├── FetchError                     a resource could not be had
    │   ├── NotFound                   the server says there is no such thing (404)
    │   ├── VerificationFailed         the bytes are not those the config's hash names
    │   └── TimedOut                   not in time
    ├── CommandFailed(command, ran)    with the tail of stderr
    ├── Refused(refusals)              the plan would destroy something; nothing was written
    ├── ActionFailed(description)      one action of a plan failed; raised from the cause
    ├── StateError                     exit 3: what earlier stages left cannot be read
    └── UsageError                     exit 2

Library code raises these; only `ignition.verbs` prints and exits. Each level
adds what it was doing with `raise ... from`. `path` is the place in the config
that the trouble belongs to, `hint` the next thing to try. Neither may hold
config contents, keys or password hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ignition.configpath import ConfigPath, format_path
from ignition.diagnostics import Report

if TYPE_CHECKING:
    from ignition.host.command import Command, Ran


class IgnitionError(Exception):
    """The root of all errors that a user is meant to see as a message."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, path: ConfigPath | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigError(IgnitionError):
    """The config is wrong; `report` says where."""

    def __init__(self, message: str, report: Report | None = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.report = report or Report()


class EmptyConfig(IgnitionError):
    """No config was given (zero bytes)."""


class NoProvider(IgnitionError):
    """This source has nothing to say; the next one is to be asked."""


class NeedNetwork(IgnitionError):
    """Something is needed that only the network can bring.

    `paths` names the config fields that ask for it; it is empty when the config
    itself has to come over the network.
    """

    def __init__(self, message: str, paths: Iterable[ConfigPath] = ()) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


class FetchError(IgnitionError):
    """A resource could not be had."""


class NotFound(FetchError):
    """The server answered that there is no such resource."""


class VerificationFailed(FetchError):
    """The bytes are not those that the config's hash names."""


class TimedOut(FetchError):
    """The resource did not come in time."""


class CommandFailed(IgnitionError):
    """A program ended with a status that its command does not accept.

    The message carries the last lines of what the program wrote to stderr, without the command's secrets.
    """

    def __init__(self, command: Command, ran: Ran, *, hint: str = "") -> None:
        ran = replace(
            ran, stdout=command.without_secrets(ran.stdout), stderr=command.without_secrets(ran.stderr)
        )
        tail = "\n".join(ran.stderr.strip().splitlines()[-5:]) or "it printed no error"
        super().__init__(f"{command} failed with status {ran.status}: {tail}", hint=hint)
        self.command = command
        self.ran = ran


@dataclass(frozen=True)
class Refusal:
    """One reason why a plan is not carried out."""

    path: ConfigPath
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{format_path(self.path)}: {self.reason}"


class Refused(IgnitionError):
    """The plan is not carried out; nothing was written. All reasons at once."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = tuple(refusals)
        first = self.refusals[0]
        super().__init__(
            "\n".join(map(str, self.refusals)),
            path=first.path,
            hint=next((refusal.hint for refusal in self.refusals if refusal.hint), ""),
        )


class ActionFailed(IgnitionError):
    """One action of a plan failed; the cause is `__cause__`."""


class StateError(IgnitionError):
    """What an earlier stage left behind cannot be read."""

    exit_code = 3


class UsageError(IgnitionError):
    """The command line makes no sense."""

    exit_code = 2


def text_of(error: BaseException) -> str:
    """What an error says, if that is meant to be read; the text of an unforeseen one may hold anything."""
    if isinstance(error, IgnitionError | OSError):
        return str(error)
    return f"a fault of the engine itself: {type(error).__name__}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, from the outside in; each once, be it its own cause."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__
