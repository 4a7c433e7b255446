# SPDX-License-Identifier: Apache-2.0
"""SELinux labels of single paths in the target root."""

from __future__ import annotations

from collections.abc import Iterable

from ignition.host import Host
from ignition.host.selinux import file_contexts
from ignition.tools.setfiles import setfiles

__all__ = ["set_labels"]


def set_labels(host: Host, paths: Iterable[str]) -> bool:
    """Label these paths of the target root recursively by its policy.

    Returns:
        Whether anything was labelled: false without paths or without SELinux.
    """
    contexts, paths = file_contexts(host.root), tuple(paths)
    if contexts is None or not paths:
        return False
    host_path = host.root.host_path
    host.run(setfiles(host.root.path, host_path(contexts), map(host_path, paths)))
    return True
