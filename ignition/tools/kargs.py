"""The distribution's helper for kernel arguments: only it knows the boot loader.

It reboots when it has changed anything; the next boot starts over. Source: engine.md 9.2.
"""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host.command import Command

__all__ = ["set_arguments"]


def set_arguments(should_exist: Iterable[str], should_not_exist: Iterable[str]) -> Command:
    """See to it that the machine boots with the first and without the second."""
    words = [word for argument in should_exist for word in ("--should-exist", argument)]
    words += [word for argument in should_not_exist for word in ("--should-not-exist", argument)]
    return Command(("ignition-kargs-helper", *words), "setting kernel arguments")
