# SPDX-License-Identifier: Apache-2.0
"""A `user.ign` in a system config directory (docs/reference/stages.md, "Config sources").

The directory of highest priority that has the file decides. An empty file means "no config", and the platform
is not asked.
"""

from __future__ import annotations

from ignition import distro
from ignition.errors import IgnitionError, NoProvider
from ignition.platform.provider import Provider, ProviderContext
from ignition.text import strerror

__all__ = ["PROVIDER"]

NAME = "user.ign"


def fetch(context: ProviderContext) -> bytes:
    """Return the `user.ign` of highest priority."""
    for directory in distro.system_config_directories():
        path = f"{directory}/{NAME}"
        try:
            with open(context.path(path), "rb") as file:
                return file.read()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IgnitionError(f"cannot read {path}: {strerror(error)}") from error
    raise NoProvider(f"no {NAME} in the system config directories")


PROVIDER = Provider("system", "user.ign in /run/ignition, /etc/ignition or /usr/lib/ignition", fetch)
