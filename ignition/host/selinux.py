"""Whether the target root has SELinux, and which policy.

A root without `/etc/selinux/config`, or with SELinux disabled in it, has none and nothing is labelled
there. The reference insists on a policy and fails on such roots (engine.md 14, point 28).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ignition.errors import IgnitionError

if TYPE_CHECKING:
    from ignition.host.root import Root

__all__ = ["file_contexts"]

CONFIG: Final = "/etc/selinux/config"


def file_contexts(root: Root) -> str | None:
    """The path, in the root, of the file that says which label each file has; `None` without SELinux."""
    try:
        settings = _settings(root.read_text(CONFIG))
    except FileNotFoundError:
        return None
    if settings.get("SELINUX") == "disabled":
        return None
    policy = settings.get("SELINUXTYPE")
    if not policy:
        raise IgnitionError(
            f"{CONFIG} of the target system does not say which policy it uses",
            hint="it needs a line SELINUXTYPE=..., or SELINUX=disabled",
        )
    return f"/etc/selinux/{policy}/contexts/files/file_contexts"


def _settings(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if not line.startswith("#") and "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
