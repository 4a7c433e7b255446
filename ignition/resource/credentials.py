# SPDX-License-Identifier: Apache-2.0
"""The credentials of a machine for the object stores of its cloud.

A platform gives `Credentials` to the fetcher (`ignition.platform.credentials`). Without them, which is the
default, requests are anonymous: nothing looks for credentials in the environment, in files or at a metadata
service by itself. Source: docs/reference/fetching.md, "Credentials".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Generic, TypeVar

from ignition.errors import FetchError

__all__ = ["ANONYMOUS", "AwsKeys", "Cached", "Credentials", "no_credentials"]

CACHE_TIME: Final = 60.0
"""Seconds for which an answer is cached. Credentials of metadata services are valid for longer, so their
expiry is not evaluated, which would need a correct clock."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class AwsKeys:
    """Keys that sign requests to AWS."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def no_credentials() -> None:
    """Return None: the default of a machine without credentials."""


@dataclass(frozen=True)
class Credentials:
    """Functions that return the machine's credentials.

    Each function returns None without credentials and raises `FetchError` if the metadata service fails. The
    functions are called for each attempt, so they should be `Cached`.

    Attributes:
        aws_keys: the keys of the instance's role.
        aws_region: the region that the instance runs in.
        google: the value of `Authorization` for Cloud Storage.
        azure: the value of `Authorization` for Blob Storage.
    """

    aws_keys: Callable[[], AwsKeys | None] = field(default=no_credentials, repr=False)
    aws_region: Callable[[], str | None] = field(default=no_credentials, repr=False)
    google: Callable[[], str | None] = field(default=no_credentials, repr=False)
    azure: Callable[[], str | None] = field(default=no_credentials, repr=False)


ANONYMOUS: Final = Credentials()


class Cached(Generic[Answer]):
    """Call a function at most once a minute, whatever the number of threads; failures are cached too."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._until = float("-inf")
        self._known: Answer | FetchError

    def __call__(self) -> Answer:
        """Return the answer, at most a minute old.

        Raises:
            FetchError: the function raised it.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._known = self._ask()
                except FetchError as caught:
                    self._known = caught
                self._until = time.monotonic() + CACHE_TIME
            if isinstance(self._known, FetchError):
                raise self._known
            return self._known
