# SPDX-License-Identifier: Apache-2.0
"""A file of the running system, for tests and image builds (docs/reference/platforms.md, "file")."""

from __future__ import annotations

from ignition.errors import IgnitionError
from ignition.platform.provider import Provider, ProviderContext
from ignition.text import strerror

__all__ = ["PROVIDER"]

VARIABLE = "IGNITION_CONFIG_FILE"
DEFAULT = "config.ign"


def fetch(context: ProviderContext) -> bytes:
    """Return the file that `IGNITION_CONFIG_FILE` names, else `config.ign` in the current directory."""
    path = context.environment.get(VARIABLE) or DEFAULT
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise IgnitionError(
            f"cannot read the config {path}: {strerror(error)}",
            hint=f"set {VARIABLE} to the path of the config",
        ) from error


PROVIDER = Provider("file", "the file named by IGNITION_CONFIG_FILE, else config.ign", fetch)
