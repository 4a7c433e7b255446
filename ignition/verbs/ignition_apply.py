"""`ignition-apply [flags] config.ign`: the reference's program for containers, with its command line.

Only in a container, as there: on a machine, half of a provisioning would be taken for a whole one.
`ignition apply` (`ignition.verbs.apply`) is for image builds. Source: engine.md 1.2 and 12.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

from ignition import log
from ignition.errors import ConfigError, IgnitionError, causes
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
"""Set by container managers to their names; source: systemd's "Container Interface"."""

CONTAINERS: Final = ("/run/.containerenv", "/.dockerenv")
"""Files that only containers have, of podman and of docker."""

USERS: Final = "/proc/self/uid_map"
"""The ids that the user namespace of this process has; source: user_namespaces(7)."""

FORBIDDEN: Final = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL})
"""How the kernel answers who gives a file away; the last is for owners that the namespace lacks."""


def main(arguments: Sequence[str]) -> int:
    """Apply the one config that the arguments name; returns the exit status."""
    return PROGRAM.main(arguments, applied_in_container)


def applied_in_container(values: Values, files: Sequence[str]) -> int:
    """Apply a config as the flags say, if this is a container; returns the exit status."""
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
    """Apply a config to a tree, with the log on stdout; returns the exit status."""
    log.setup(to_stdout=True)
    if only_in_container and not in_container():
        log.critical("this tool is not designed to run on a host system; use `ignition apply` for images")
        return 1
    try:
        data = contents(file)
    except OSError as error:
        log.critical(f"couldn't read config: {file}: {error.strerror}")
        return 1
    from ignition import image_root

    try:
        config = image_root.resolved(data, file, offline=offline)
        image_root.apply(config, root, users=users, ignore_unsupported=ignore_unsupported, offline=offline)
    except Exception as error:  # noqa: BLE001  the text of an unforeseen one may hold contents of the config
        failed(error)
        return 1
    return 0


def failed(error: Exception) -> None:
    """Log how it ended: the error, or the place of the fault if it is the engine's own."""
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
    """Whether it failed because this is not root, or is root in a namespace that has not all owners."""
    if not any(isinstance(cause, OSError) and cause.errno in FORBIDDEN for cause in causes(error)):
        return False
    with open(USERS, encoding="ascii") as file:
        return os.geteuid() != 0 or file.read().split() != ["0", "0", str(2**32 - 1)]


def in_container(system: str = "/") -> bool:
    """Whether this process runs in a container."""
    there = (os.path.exists(system.rstrip("/") + path) for path in CONTAINERS)
    return bool(os.environ.get(VARIABLE)) or any(there)
