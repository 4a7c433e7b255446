# SPDX-License-Identifier: Apache-2.0
"""Search for programs without starting them."""

from __future__ import annotations

import os

from ignition.host.run import environment

__all__ = ["has_program"]


def has_program(program: str) -> bool:
    """Whether `ignition.host.run` would find the program."""
    places = (os.path.join(directory, program) for directory in environment()["PATH"].split(os.pathsep))
    return any(os.path.isfile(place) and os.access(place, os.X_OK) for place in places)
