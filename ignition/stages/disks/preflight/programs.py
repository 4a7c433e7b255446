# SPDX-License-Identifier: Apache-2.0
"""The refusal for a missing program."""

from __future__ import annotations

from typing import Final

from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host.run import ProgramNotFound

__all__ = ["missing_program"]

HINT: Final = "add the program to the initramfs"


def missing_program(program: str, path: ConfigPath) -> Refusal:
    """Return a refusal that names the program and its package."""
    error = ProgramNotFound(program)
    package = f" (package {error.package})" if error.package else ""
    return Refusal(path, f"{error}{package}", HINT)
