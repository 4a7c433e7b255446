# SPDX-License-Identifier: Apache-2.0
"""`ignition-apply [flags] config.ign`: the reference's program for containers, with its command line.

Runs only in a container, like the reference: on a machine, a partial provisioning could be taken for a
complete one. `ignition apply` (`ignition.verbs.apply`) is for image builds. Source:
docs/reference/stages.md, "ignition-apply".
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

from ignition import log
from ignition.errors import ConfigError, IgnitionError, causes
from ignition.host.system_path import under
from ignition.text import strerror
from ignition.verbs import go_flags
from ignition.verbs.console import contents
from ignition.verbs.go_flags import Flag
from ignition.verbs.program import Program, Values

__all__ = ["applied", "main"]

PROGRAM: Final = Program(
    (
        Flag("ignore-unsupported", "ignore unsupported config sections", boolean=True),
        Flag("offline", "error out if config references remote resources", boolean=True),
        Flag("root", "root of the filesystem", "/"),
        Flag("version", "print the version of ignition-apply", boolean=True),
    ),
    """\
Usage:
  ignition-apply [flags] config.ign

      --ignore-unsupported   ignore unsupported config sections
      --offline              error out if config references remote resources
      --root string          root of the filesystem (default "/")
      --version              print the version of ignition-apply
""",
    go_flags.parse_gnu,
    words=1,
    misused=1,
)

VARIABLE: Final = "container"
"""Variable that container managers set to their name; source: systemd's "Container Interface"."""

CONTAINERS: Final = ("/run/.containerenv", "/.dockerenv")
"""Files that podman and docker create in containers."""

USERS: Final = "/proc/self/uid_map"
"""The ids in the user namespace of this process; source: user_namespaces(7)."""

FORBIDDEN: Final = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL})
"""Errors of chown without the permission; EINVAL means that the namespace lacks the owner."""


def main(arguments: Sequence[str]) -> int:
    """Apply the config that the arguments name; return the exit status."""
    return PROGRAM.main(arguments, applied_in_container)


def applied_in_container(values: Values, files: Sequence[str]) -> int:
    """Apply a config with the flags' values, in a container only; return the exit status."""
    return applied(
        files[0],
        os.path.abspath(values["root"]),
        ignore_unsupported=values["ignore-unsupported"] == "true",
        offline=values["offline"] == "true",
        only_in_container=True,
    )


def applied(
    file: str,
    root: str,
    *,
    users: bool = False,
    ignore_unsupported: bool = False,
    offline: bool = False,
    only_in_container: bool = False,
) -> int:
    """Apply a config to a root directory, with the log on stdout; return the exit status."""
    log.setup(to_stdout=True)
    if only_in_container and not in_container():
        log.critical("this tool is not designed to run on a host system; use `ignition apply` for images")
        return 1
    try:
        data = contents(file)
    except OSError as error:
        log.critical(f"couldn't read config: {file}: {strerror(error)}")
        return 1
    from ignition import image_root

    try:
        config = image_root.resolved(data, file, offline=offline)
        image_root.apply(config, root, users=users, ignore_unsupported=ignore_unsupported, offline=offline)
    except Exception as error:  # noqa: BLE001  the text of an unexpected error may hold secrets of the config
        failed(error)
        return 1
    return 0


def failed(error: Exception) -> None:
    """Log the error and its hint; for an internal error, its type and place."""
    from ignition.verbs.stage import described

    if isinstance(error, ConfigError):
        log.report(error.report)
    if not isinstance(error, IgnitionError | OSError):
        log.critical(f"internal error: {described(error)}")
        return
    if not getattr(error, "logged", False):
        log.critical(str(error))
    hint = error.hint if isinstance(error, IgnitionError) else ""
    if not hint and lacks_rights(error):
        hint = "run it as root, or in a user namespace with all ids: unshare --map-root-user --map-auto"
    if hint:
        log.critical(f"hint: {hint}")


def lacks_rights(error: Exception) -> bool:
    """Whether the error is due to missing root rights, or to owners that the user namespace lacks."""
    if not any(isinstance(cause, OSError) and cause.errno in FORBIDDEN for cause in causes(error)):
        return False
    with open(USERS, encoding="ascii") as file:
        return os.geteuid() != 0 or file.read().split() != ["0", "0", str(2**32 - 1)]


def in_container(system: str = "/") -> bool:
    """Whether this process runs in a container."""
    there = (os.path.exists(under(system, path)) for path in CONTAINERS)
    return bool(os.environ.get(VARIABLE)) or any(there)
