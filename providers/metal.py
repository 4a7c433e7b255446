# SPDX-License-Identifier: Apache-2.0
"""Bare metal: no config source of its own (docs/reference/platforms.md, "metal").

The config comes from the kernel command line or from `user.ign`.
"""

from __future__ import annotations

from ignition.platform.provider import Provider, ProviderContext

__all__ = ["PROVIDER"]


def fetch(context: ProviderContext) -> bytes:  # noqa: ARG001  the answer is the same on every machine
    """Return no config."""
    return b""


PROVIDER = Provider("metal", "the kernel command line or user.ign", fetch)
