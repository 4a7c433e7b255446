"""Who this machine is to the cloud that it runs in.

A platform hands an `Identity` to the fetcher (`instance` makes them). Without one, and that
is the default, everything is asked for as anybody: nothing looks for credentials by itself,
neither in the environment nor in files nor at a metadata service.

Source: engine.md sections 7.3 to 7.5, providers.md sections 5.4, 5.5 and 5.11.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Generic, TypeVar

from ignition.errors import FetchError

__all__ = ["NOBODY", "AwsKeys", "Identity", "Remembered", "nobody"]

REMEMBERED: Final = 60.0
"""Seconds that an answer is used again. Metadata services hand out credentials that hold for
longer than that, so their own expiry, told by a clock that may be wrong, is never needed."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class AwsKeys:
    """What requests to AWS are signed with."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def nobody() -> None:
    """What a machine is without an identity."""


@dataclass(frozen=True)
class Identity:
    """The machine's credentials, asked for when something needs them.

    The functions return None for "this machine has none" and raise `FetchError` if
    that cannot be found out. They are asked for each attempt, so they should remember.

    Attributes:
        aws_keys: the keys of the instance's role.
        aws_region: the region that the instance runs in.
        google: the value of `Authorization` for Cloud Storage.
        azure: the value of `Authorization` for Blob Storage.
    """

    aws_keys: Callable[[], AwsKeys | None] = field(default=nobody, repr=False)
    aws_region: Callable[[], str | None] = field(default=nobody, repr=False)
    google: Callable[[], str | None] = field(default=nobody, repr=False)
    azure: Callable[[], str | None] = field(default=nobody, repr=False)


NOBODY: Final = Identity()


class Remembered(Generic[Answer]):
    """Asks once a minute at most, however many threads want to know; failures are remembered too."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._until = float("-inf")
        self._known: Answer | FetchError

    def __call__(self) -> Answer:
        """The answer, at most a minute old.

        Raises:
            FetchError: as the function that is asked.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._known = self._ask()
                except FetchError as caught:
                    self._known = caught
                self._until = time.monotonic() + REMEMBERED
            if isinstance(self._known, FetchError):
                raise self._known
            return self._known
