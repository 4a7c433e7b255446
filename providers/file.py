"""A file of the running system; used for tests and images (providers.md section 5.10)."""

from __future__ import annotations

from ignition.errors import IgnitionError
from ignition.platform.provider import Platform, Provider

__all__ = ["PROVIDER"]

VARIABLE = "IGNITION_CONFIG_FILE"
DEFAULT = "config.ign"


def fetch(platform: Platform) -> bytes:
    """The file that `IGNITION_CONFIG_FILE` names, else `config.ign` in the current directory."""
    path = platform.environment.get(VARIABLE) or DEFAULT
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise IgnitionError(
            f"couldn't read the config {path}: {error.strerror}",
            hint=f"set {VARIABLE} to the path of the config",
        ) from error


PROVIDER = Provider("file", "the file named by IGNITION_CONFIG_FILE, else config.ign", fetch)
