# SPDX-License-Identifier: Apache-2.0
"""Base configs: fragments of the image that are merged below the user's config.

Fragments are in `base.d` and in `base.platform.d/PLATFORM` of the three system config directories
(docs/reference/stages.md, "Base configs"). References in them are not followed.

The reference drops all fragments of the platform, with an info message, when one of them is invalid. Here an
invalid fragment fails the stage, as it does in `base.d` (docs/compatibility.md).
"""

from __future__ import annotations

import os

from ignition import distro, log
from ignition.config.merge import merge
from ignition.errors import ConfigError, EmptyConfig, IgnitionError
from ignition.schemas.config import Config
from ignition.text import strerror

__all__ = ["fragments", "load"]


def load(platform: str, system: str = "/") -> Config | None:
    """Return all fragments for this platform, merged; None if there are none.

    Args:
        platform: the platform's id; "" to leave out fragments of platforms.
        system: where the running system is mounted.

    Raises:
        ConfigError: a fragment is invalid; the message names its file.
        IgnitionError: a fragment is unreadable.
    """
    merged: Config | None = None
    for group in ("base.d", f"base.platform.d/{platform}") if platform else ("base.d",):
        for path in fragments(group, system):
            config = _read(path)
            merged = config if merged is None else merge(merged, config)
    return merged


def fragments(group: str, system: str = "/") -> list[str]:
    """Return the paths of a group's fragments, in merge order."""
    found: dict[str, str] = {}
    for directory in reversed(distro.system_config_directories()):
        place = os.path.join(system, directory.lstrip("/"), group)
        try:
            names = os.listdir(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IgnitionError(f"cannot read the base configs in {place}: {strerror(error)}") from error
        found.update({name: os.path.join(place, name) for name in names})
    return [found[name] for name in sorted(found, key=os.fsencode)]


def _read(path: str) -> Config:
    from ignition.config.parse import parse

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise IgnitionError(f"cannot read the base config {path}: {strerror(error)}") from error
    try:
        parsed = parse(data, source=path)
    except ConfigError as error:
        raise ConfigError(f"invalid base config {path}: {error}", error.report, hint=error.hint) from error
    except EmptyConfig as error:
        raise ConfigError(f"the base config {path} is empty", hint=f"remove {path}") from error
    log.report(parsed.report)
    return parsed.config
