"""Base configs: what the image itself says, under the user's config.

Source: engine.md section 4.1. Fragments lie in `base.d` and in
`base.platform.d/<platform>` of the three system directories; a file name in a
more important directory hides the same name in the others; they are merged in
the order of their names. References in them are not followed.

The reference drops the whole platform group, with a mere remark, when one of its
fragments is broken. Here that stops the boot, as it does for `base.d`: half a
base is not the machine that the image's maker described.
"""

from __future__ import annotations

import os

from ignition import distro, log
from ignition.config.merge import merge
from ignition.errors import ConfigError, EmptyConfig, IgnitionError
from ignition.schemas.config import Config

__all__ = ["fragments", "load"]


def load(platform: str, system: str = "/") -> Config | None:
    """All fragments for this platform, merged; None if there are none.

    Args:
        platform: the platform's id; "" to leave out what is meant for one platform only.
        system: where the running system is mounted.

    Raises:
        ConfigError: a fragment is broken; the message names its file.
        IgnitionError: a fragment cannot be read.
    """
    merged: Config | None = None
    for group in ("base.d", f"base.platform.d/{platform}") if platform else ("base.d",):
        for path in fragments(group, system):
            config = _read(path)
            merged = config if merged is None else merge(merged, config)
    return merged


def fragments(group: str, system: str = "/") -> list[str]:
    """Paths of a group's fragments, in the order in which they are merged."""
    found: dict[str, str] = {}
    for directory in reversed(distro.system_config_directories()):
        place = os.path.join(system, directory.lstrip("/"), group)
        try:
            names = os.listdir(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IgnitionError(f"couldn't read the base configs in {place}: {error.strerror}") from error
        found.update({name: os.path.join(place, name) for name in names})
    return [found[name] for name in sorted(found, key=os.fsencode)]


def _read(path: str) -> Config:
    from ignition.config.parse import parse

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise IgnitionError(f"couldn't read the base config {path}: {error.strerror}") from error
    try:
        parsed = parse(data, source=path)
    except ConfigError as error:
        raise ConfigError(f"the base config {path}: {error}", error.report, hint=error.hint) from error
    except EmptyConfig as error:
        raise ConfigError(f"the base config {path} is empty", hint="remove the file") from error
    log.report(parsed.report)
    return parsed.config
