"""Whether the target root has SELinux, and which policy.

A root without `/etc/selinux/config`, or with SELinux disabled in it, has none and nothing is labelled
there. So has one that enforces nothing and whose policy is gone: Debian leaves the file behind when the
policy is removed. The reference insists on a policy and fails on such roots (engine.md 14, point 28).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from ignition.errors import IgnitionError

if TYPE_CHECKING:
    from ignition.host.files.tree import Tree

__all__ = ["file_contexts", "is_unlabelled"]

CONFIG: Final = "/etc/selinux/config"
LABEL: Final = "security.selinux"
"""The extended attribute that holds a label; source: xattr(7)."""


def file_contexts(root: Tree) -> str | None:
    """The path, in the root, of the file that says which label each file has; `None` without SELinux.

    There are no links on the way: setfiles would follow them out of the root.
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
            f"{CONFIG} of the target system does not say which policy it uses",
            hint="it needs a line SELINUXTYPE=..., or SELINUX=disabled",
        )
    contexts = root.resolve(f"/etc/selinux/{policy}/contexts/files/file_contexts")
    return None if mode == "permissive" and not root.is_file(contexts) else contexts


def is_unlabelled(root: Tree, place: str) -> bool:
    """Whether something stands at a path, all links resolved, that has no label and could have one."""
    try:
        os.getxattr(root.outside(place), LABEL, follow_symlinks=False)
    except OSError as error:
        return error.errno == errno.ENODATA
    return False


def _settings(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if not line.startswith("#") and "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
