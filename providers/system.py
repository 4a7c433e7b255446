"""A `user.ign` that the image brings in a system directory (engine.md section 4.2).

The first of the three directories that has one decides; an empty file is an
answer too: no config, and the platform is not asked.
"""

from __future__ import annotations

from ignition import distro
from ignition.errors import IgnitionError, NoProvider
from ignition.platform.provider import Platform, Provider

__all__ = ["PROVIDER"]

NAME = "user.ign"


def fetch(platform: Platform) -> bytes:
    """The bytes of the most important `user.ign`."""
    for directory in distro.system_config_directories():
        path = f"{directory}/{NAME}"
        try:
            with open(platform.path(path), "rb") as file:
                return file.read()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IgnitionError(f"couldn't read {path}: {error.strerror}") from error
    raise NoProvider(f"no {NAME} in the system directories")


PROVIDER = Provider("system", "user.ign in /run/ignition, /etc/ignition or /usr/lib/ignition", fetch)
