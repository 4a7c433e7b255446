"""Bare metal: the machine itself has nothing to say (providers.md section 5.16).

The config comes from the kernel command line or from `user.ign`.
"""

from __future__ import annotations

from ignition.platform.provider import Platform, Provider

__all__ = ["PROVIDER"]


def fetch(platform: Platform) -> bytes:  # noqa: ARG001  the question has one answer on every machine
    """No config."""
    return b""


PROVIDER = Provider("metal", "the kernel command line or user.ign", fetch)
