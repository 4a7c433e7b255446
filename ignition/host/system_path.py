# SPDX-License-Identifier: Apache-2.0
"""Paths of the running system, which tests mount somewhere else."""

from __future__ import annotations

__all__ = ["under"]


def under(system: str, path: str) -> str:
    """Return the absolute `path` of the running system that is mounted at `system`."""
    return system.rstrip("/") + path
