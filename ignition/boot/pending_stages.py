# SPDX-License-Identifier: Apache-2.0
"""Pending-stage files: an empty file for each stage that has work, written when the config is known.

The units of the stages have a condition on these files, so a stage without work
starts no process. A stage that passed removes its own file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

__all__ = ["directory_beside", "is_pending", "remove", "write"]


def directory_beside(state_file: str) -> str:
    """Return the directory of the files: `stages` beside the state file."""
    return os.path.join(os.path.dirname(state_file), "stages")


def write(directory: str, stages: Iterable[str]) -> None:
    """Make these stages pending, and no others."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    for old in os.listdir(directory):
        os.unlink(os.path.join(directory, old))
    for stage in stages:
        descriptor = os.open(os.path.join(directory, stage), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.close(descriptor)


def is_pending(directory: str, stage: str) -> bool:
    """Whether the stage still has work."""
    return os.path.exists(os.path.join(directory, stage))


def remove(directory: str, stage: str) -> None:
    """Remove the file of a stage that passed."""
    try:
        os.unlink(os.path.join(directory, stage))
    except FileNotFoundError:
        return
