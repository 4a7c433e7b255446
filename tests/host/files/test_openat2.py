# SPDX-License-Identifier: Apache-2.0
"""Errors of openat2. The tests of `RootView` check path resolution."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host.files import openat2


def answers(monkeypatch: pytest.MonkeyPatch, *given: int) -> list[int]:
    """Let the kernel return these error numbers in turn, the last one repeatedly; 0 is success."""
    left = list(given)

    def call(*arguments: object) -> int:
        number = left.pop(0) if len(left) > 1 else left[0]
        if number:
            raise OSError(number, os.strerror(number))
        return 7

    monkeypatch.setattr(openat2, "_call", call)
    return left


def test_missing_system_call_is_an_error_with_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.ENOSYS)
    with pytest.raises(IgnitionError, match="openat2") as caught:
        openat2.open_in_root(3, "/", 0)
    assert caught.value.hint == "boot Linux 5.6 or newer"


def test_concurrent_rename_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EAGAIN, errno.EINTR, errno.EAGAIN, 0)
    assert openat2.open_in_root(3, "/a/../b", 0) == 7


def test_retries_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EAGAIN)
    with pytest.raises(OSError, match="directories above are being renamed"):
        openat2.open_in_root(3, "/a/../b", 0)


def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    top = os.open(tmp_path, os.O_PATH)
    try:
        descriptor = openat2.open_in_root(top, "/../..", os.O_PATH | os.O_CLOEXEC)
        assert os.path.samestat(os.fstat(descriptor), os.stat(tmp_path))
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
    finally:
        os.close(top)
