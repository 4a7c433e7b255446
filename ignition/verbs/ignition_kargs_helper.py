# SPDX-License-Identifier: Apache-2.0
"""`ignition-kargs-helper --should-exist ARG … --should-not-exist ARG …`: change the kernel arguments.

Follows the protocol of the reference (docs/reference/stages.md, "kargs stage"): exit status 0 means that
the machine has booted with the arguments; if a reboot is needed, the program does not return. The environment
selects the boot loader and its files (`ignition.distro`, docs/how-to/kernel-arguments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ignition import distro, log
from ignition.errors import IgnitionError, UsageError
from ignition.text import os_error_text
from ignition.verbs.console import complain

__all__ = ["main"]

USAGE: Final = "usage: ignition-kargs-helper [--should-exist ARGUMENT]... [--should-not-exist ARGUMENT]...\n"


def main(arguments: Sequence[str]) -> int:
    """Set and remove kernel arguments of the boot loader; return the exit status."""
    from ignition.bootloader.arguments import ArgumentRequest
    from ignition.bootloader.helper import Helper
    from ignition.host.run import run

    log.setup(to_stdout=False)
    try:
        helper = Helper(run, distro.boot_loader(), distro.boot_device())
        with log.prefix("kargs-helper"):
            helper.set(ArgumentRequest(*parsed(arguments)))
    except UsageError as error:
        complain(f"{error}\n{USAGE}")
        return error.exit_code
    except IgnitionError as error:
        complain(f"{error}\n{error.hint}".rstrip() + "\n")
        return error.exit_code
    except OSError as error:
        complain(f"{os_error_text(error)}\n")
        return 1
    return 0


def parsed(arguments: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arguments that should exist and those that should not.

    Raises:
        UsageError: an unknown option, or an option without its argument.
    """
    given: dict[str, list[str]] = {"--should-exist": [], "--should-not-exist": []}
    rest = list(arguments)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option not in given:
            raise UsageError(f"unknown option {option}")
        if not equals:
            if not rest:
                raise UsageError(f"{option} needs an argument")
            value = rest.pop(0)
        given[option].append(value)
    return tuple(given["--should-exist"]), tuple(given["--should-not-exist"])
