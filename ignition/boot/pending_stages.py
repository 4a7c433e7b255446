"""Which stages have work: an empty file for each, written when the config is known.

The units of the stages are conditioned on these files, so a stage without work
costs no process at all. A stage that has run removes its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

__all__ = ["close", "directory_beside", "is_open", "write"]


def directory_beside(state_file: str) -> str:
    """Where the gates are: `stages` beside the state file, `/run/ignition/stages` by default."""
    return os.path.join(os.path.dirname(state_file), "stages")


def write(directory: str, stages: Iterable[str]) -> None:
    """Open the gates of these stages and of no others."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    for old in os.listdir(directory):
        os.unlink(os.path.join(directory, old))
    for stage in stages:
        descriptor = os.open(os.path.join(directory, stage), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.close(descriptor)


def is_open(directory: str, stage: str) -> bool:
    """Whether this stage still has work."""
    return os.path.exists(os.path.join(directory, stage))


def close(directory: str, stage: str) -> None:
    """Note that the stage has done its work."""
    try:
        os.unlink(os.path.join(directory, stage))
    except FileNotFoundError:
        return
