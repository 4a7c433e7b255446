# SPDX-License-Identifier: Apache-2.0
"""SELinux configuration of the target root.

Nothing is labelled in a root without `/etc/selinux/config`, with SELinux disabled, or in permissive mode
without a policy: Debian keeps the file when the policy is removed. The reference fails on such roots
(docs/reference/stages.md, "Relabelling").
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from ignition.errors import IgnitionError

if TYPE_CHECKING:
    from ignition.host.files.root_view import RootView

__all__ = ["file_contexts", "is_unlabelled"]

CONFIG: Final = "/etc/selinux/config"
LABEL: Final = "security.selinux"
"""Extended attribute of labels; xattr(7)."""


def file_contexts(root: RootView) -> str | None:
    """Return the path of the policy's file_contexts in the root; None without SELinux.

    Its symlinks are resolved, because setfiles would follow them out of the root.
    """
    try:
        settings = _settings(root.read_text(CONFIG))
    except FileNotFoundError:
        return None
    mode = settings.get("SELINUX", "").lower()
    if mode == "disabled":
        return None
    policy = settings.get("SELINUXTYPE")
    if not policy:
        raise IgnitionError(
            f"{CONFIG} in the target root names no policy",
            hint="add a line SELINUXTYPE=… or SELINUX=disabled",
        )
    contexts = root.resolve(f"/etc/selinux/{policy}/contexts/files/file_contexts")
    return None if mode == "permissive" and not root.is_file(contexts) else contexts


def is_unlabelled(root: RootView, place: str) -> bool:
    """Whether an object at a resolved path has no label, on a filesystem that supports labels."""
    try:
        os.getxattr(root.host_path(place), LABEL, follow_symlinks=False)
    except OSError as error:
        return error.errno == errno.ENODATA
    return False


def _settings(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if not line.startswith("#") and "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
