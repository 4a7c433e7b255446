# SPDX-License-Identifier: Apache-2.0
"""Apply a config to a tree that is not booted: that of a container, or of an image that is being built.

Directories, files, links and units are written by the same steps as in a first boot; users and groups only
on request. No result file or provisioning record is written, and no SELinux labels are set.
Source: docs/reference/stages.md, "ignition-apply".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from ignition import log
from ignition.boot.state import StateStore
from ignition.config.fetching import configured, follow
from ignition.config.network import needs_network
from ignition.config.validate import check_merged
from ignition.configpath import format_path
from ignition.errors import IgnitionError, NeedNetwork, Refusal, Refused
from ignition.host import Host, programs
from ignition.host.devices import BlockDevices
from ignition.host.root import Root
from ignition.host.run import run
from ignition.resource import Fetcher
from ignition.schemas.config import Config
from ignition.schemas.kargs import KernelArguments
from ignition.schemas.passwd import Passwd
from ignition.stages import STAGES, perform

__all__ = ["apply", "resolved"]

FILES: Final = next(stage for stage in STAGES if stage.name == "files")
OF_A_BOOT: Final = frozenset({"crypttab", "result", "record", "relabel", "sync"})
"""Steps of the files stage that are left out, because they concern a boot and not the tree."""

OF_DISKS: Final = ("disks", "raid", "luks", "filesystems")

OPEN_FILES: Final = "/proc/self/fd"
"""Symlinks of the open files of this process, by which the kernel gives the path of a directory."""


def resolved(data: bytes, source: str, *, offline: bool = False) -> Config:
    """Return the validated config with its references merged.

    Raises:
        ConfigError: the config is invalid.
        FetchError: a reference cannot be fetched.
        NeedNetwork: `offline` is set, and a part of the config needs the network.
    """
    config = follow(data, source, Fetcher(offline=offline), logged=True).self_contained()
    log.report(check_merged(config))
    if offline and (paths := needs_network(config)):
        raise NeedNetwork(f"the network is needed by {', '.join(map(format_path, paths))}", paths)
    return config


def apply(
    config: Config, root: str, *, users: bool = False, ignore_unsupported: bool = False, offline: bool = False
) -> None:
    """Apply the supported sections of a config to the tree at `root`.

    Args:
        config: the merged config.
        root: the root directory of the tree; created if it is missing.
        users: also create users and groups; needs the capability CAP_SYS_CHROOT.
        ignore_unsupported: leave out unsupported sections instead of refusing them.
        offline: whether the network must not be used.

    Raises:
        Refused: the config has unsupported sections; nothing was written.
        IgnitionError: an action failed.
    """
    refusals = tuple(_unsupported(config, users=users))
    if refusals and not ignore_unsupported:
        raise Refused(refusals)
    for refusal in refusals:
        log.notice(f"left out: {refusal}")
    if not os.path.exists(OPEN_FILES):
        raise IgnitionError("/proc is not mounted", hint="run: mount -t proc proc /proc")
    os.makedirs(root, exist_ok=True)
    left_out = OF_A_BOOT
    if not programs.has_program("systemctl"):
        left_out |= {"enablement"}
        if any(unit.enabled is not None for unit in config.systemd.units):
            log.notice(
                'program "systemctl" not found: units are enabled by presets only,'
                " which apply at the first boot"
            )
    host = Host(
        run=run,
        # The path without symlinks: systemctl refuses drop-ins below a symlinked root as outside of it.
        root=Root(os.path.realpath(root)),
        devices=BlockDevices(),
        fetch=configured(Fetcher(offline=offline), config),
    )
    with log.prefix(FILES.name):
        perform(FILES, _supported(config, users=users), host, StateStore(), leaving_out=left_out)


def _unsupported(config: Config, *, users: bool) -> Iterator[Refusal]:
    """Yield a refusal for each section that cannot be applied to a tree."""
    hint = "add --ignore-unsupported to leave it out"
    if config.kernel_arguments.present:
        yield Refusal(("kernelArguments",), "cannot apply kernel arguments to a tree", hint)
    for name in OF_DISKS:
        if getattr(config.storage, name):
            yield Refusal(("storage", name), "cannot apply disks to a tree", hint)
    if not users:
        for name in ("groups", "users"):
            if getattr(config.passwd, name):
                yield Refusal(("passwd", name), "cannot create users and groups here", hint)


def _supported(config: Config, *, users: bool) -> Config:
    return config.evolve(
        kernel_arguments=KernelArguments.empty(),
        storage=config.storage.evolve(**dict.fromkeys(OF_DISKS, ())),
        passwd=config.passwd if users else Passwd.empty(),
    )
