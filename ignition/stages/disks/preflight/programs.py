"""The refusal for a program that is not here."""

from __future__ import annotations

from typing import Final

from ignition.configpath import ConfigPath
from ignition.errors import Refusal
from ignition.host.run import missing

__all__ = ["lacking"]

HINT: Final = "put it into the initramfs"


def lacking(program: str, path: ConfigPath) -> Refusal:
    """Names the program and the package that brings it."""
    error = missing(program)
    return Refusal(path, f"{error}; {error.hint}" if error.hint else str(error), HINT)
