"""What the kernel may answer besides a descriptor; the paths themselves are in the root's tests."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host.files import openat2


def answers(monkeypatch: pytest.MonkeyPatch, *given: int) -> list[int]:
    """Let the kernel answer with these error numbers in turn, the last one from then on; 0 is a success."""
    left = list(given)

    def call(*arguments: object) -> int:
        number = left.pop(0) if len(left) > 1 else left[0]
        if number:
            raise OSError(number, os.strerror(number))
        return 7

    monkeypatch.setattr(openat2, "_call", call)
    return left


def test_a_kernel_without_the_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.ENOSYS)
    with pytest.raises(IgnitionError, match="openat2") as caught:
        openat2.open_in_root(3, "/", 0)
    assert caught.value.hint == "Linux 5.6 or newer is needed"


def test_a_rename_meanwhile_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EAGAIN, errno.EINTR, errno.EAGAIN, 0)
    assert openat2.open_in_root(3, "/a/../b", 0) == 7


def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EAGAIN)
    with pytest.raises(OSError, match="change all the time"):
        openat2.open_in_root(3, "/a/../b", 0)


def test_descriptors_do_not_reach_programs(tmp_path: Path) -> None:
    top = os.open(tmp_path, os.O_PATH)
    try:
        descriptor = openat2.open_in_root(top, "/../..", os.O_PATH | os.O_CLOEXEC)
        assert os.path.samestat(os.fstat(descriptor), os.stat(tmp_path))
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
    finally:
        os.close(top)
