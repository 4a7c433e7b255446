"""Who this machine is to the cloud that it runs in.

A platform hands an `Identity` to the fetcher. Without one, and that is the default,
everything is asked for as anybody: nothing looks for credentials by itself, neither
in the environment nor in files nor at a metadata service.

Source: engine.md sections 7.3 to 7.5, providers.md sections 5.4, 5.5 and 5.11.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Generic, TypeVar

from ignition.errors import FetchError

__all__ = ["NOBODY", "AwsKeys", "Identity", "Remembered"]

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


@dataclass(frozen=True)
class Identity:
    """The machine's credentials, asked for when something needs them.

    The functions return None for "this machine has none" and raise `FetchError` if
    that cannot be found out. `instance` has those that ask the metadata services.

    Attributes:
        aws_keys: the keys of the instance's role.
        aws_region: where to look first for an S3 bucket; empty for us-east-1.
        google: the value of `Authorization` for Cloud Storage.
        azure: the value of `Authorization` for Blob Storage.
    """

    aws_keys: Callable[[], AwsKeys | None] | None = field(default=None, repr=False)
    aws_region: str = ""
    google: Callable[[], str | None] | None = field(default=None, repr=False)
    azure: Callable[[], str | None] | None = field(default=None, repr=False)


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
