# SPDX-License-Identifier: Apache-2.0
"""Exceptions of the engine, and the exit status that each leads to.

    IgnitionError                      exit status 1
    ├── ConfigError(report)            the config is invalid; the report has paths and positions
    ├── EmptyConfig                    no config was given; the engine goes on with base configs only
    ├── NoProvider                     this config source has no config; the next source is asked
    ├── NeedNetwork(paths)             control flow of fetch-offline; names the config fields
    ├── FetchError                     a resource cannot be fetched
    │   ├── NotFound                   HTTP 404 and its equivalents
    │   ├── VerificationFailed         the digest differs from `verification.hash`
    │   └── TimedOut                   the time limit expired
    ├── CommandFailed(command, ran)    a program failed (`ignition.host.command`)
    ├── ProgramNotFound(program)        a program is not installed (`ignition.host.run`)
    ├── MissingPackage(package)        a Python package is not installed
    ├── Refused(refusals)              a plan has refusals; nothing was written
    ├── ActionFailed(action)           an action of a plan failed; raised from the cause
    ├── StateError                     exit status 3: the state of earlier stages is unreadable
    └── UsageError                     exit status 2

Library code raises these; only `ignition.verbs` prints and exits. Each level adds its own
step with `raise ... from`. `path` is the place in the config, `hint` an imperative with the
next thing to try. Neither contains config contents, keys or password hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from ignition.configpath import ConfigPath, format_path
from ignition.diagnostics import Report
from ignition.text import os_error_text


class IgnitionError(Exception):
    """Base class of all errors whose message is written for users."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, path: ConfigPath | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigError(IgnitionError):
    """The config is invalid; `report` lists the findings."""

    def __init__(self, message: str, report: Report | None = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.report = report or Report()


class EmptyConfig(IgnitionError):
    """No config was given (zero bytes)."""


class NoProvider(IgnitionError):
    """This config source has no config; the next source is asked."""


class NeedNetwork(IgnitionError):
    """The network is needed and the stage is fetch-offline.

    `paths` names the config fields that need it; it is empty when the config itself
    comes over the network.
    """

    def __init__(self, message: str, paths: Iterable[ConfigPath] = ()) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


class FetchError(IgnitionError):
    """A resource cannot be fetched."""


class NotFound(FetchError):
    """The server has no such resource (HTTP 404)."""


class VerificationFailed(FetchError):
    """The digest of the bytes differs from the config's `verification.hash`."""


class TimedOut(FetchError):
    """The time limit expired before the resource was complete."""


class MissingPackage(IgnitionError):
    """A Python package that this use of the engine needs is not installed.

    Attributes:
        package: the top-level module.
    """

    def __init__(self, package: str, purpose: str, *, verb: str = "need") -> None:
        super().__init__(
            f'{purpose} {verb} the Python package "{package}"', hint=f"install it: pip install {package}"
        )
        self.package = package


@dataclass(frozen=True)
class Refusal:
    """One reason why a plan is refused."""

    path: ConfigPath
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{format_path(self.path)}: {self.reason}"


class Refused(IgnitionError):
    """The plan is refused and nothing was written; lists all reasons."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = tuple(refusals)
        first = self.refusals[0]
        super().__init__(
            "\n".join(map(str, self.refusals)),
            path=first.path,
            hint=next((refusal.hint for refusal in self.refusals if refusal.hint), ""),
        )


class ActionFailed(IgnitionError):
    """One action of a plan failed; the cause is `__cause__`.

    Attributes:
        action: the description of the action, without the cause.
    """

    def __init__(self, action: str, cause: str, *, path: ConfigPath | None = None, hint: str = "") -> None:
        super().__init__(f"{action}: {cause}", path=path, hint=hint)
        self.action = action


class StateError(IgnitionError):
    """The state that earlier stages wrote is unreadable."""

    exit_code = 3


class UsageError(IgnitionError):
    """The command line is invalid."""

    exit_code = 2


def text_of(error: BaseException) -> str:
    """Return an error's text for users; of an unexpected exception, which may hold secrets, only the type."""
    if isinstance(error, IgnitionError):
        return str(error)
    if isinstance(error, OSError):
        return os_error_text(error)
    return f"internal error: {type(error).__name__} (a bug in Ignition; please report it with the full log)"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, outermost first; a circular chain ends at the first repetition."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__
