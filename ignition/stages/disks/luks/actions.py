# SPDX-License-Identifier: Apache-2.0
"""Actions on one LUKS volume: create it, open it, and resume an interrupted creation.

A generated key is persisted before a volume exists that nothing else opens, and removed from the volume only
after its other means of unlocking was tried. So a second try in the
same boot can resume wherever this process was killed. Rules: docs/reference/stages.md, "disks stage: LUKS".
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Final

from ignition.boot.state import KEY_REMOVED, State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.command import Command, CommandFailed
from ignition.schemas.storage import Luks
from ignition.stages import persist
from ignition.stages.disks.luks import cex, clevis
from ignition.tools import cryptsetup
from ignition.url import dataurl

__all__ = ["REPLACE", "CloseVolume", "MakeVolume", "OpenVolume", "ResumeVolume"]

GENERATED: Final = 4096
"""Random bytes of a generated key, which is their hexadecimal text."""

MODULES: Final = {"dm_mod": "dm_mod", "Check that kernel supports": "dm_crypt and that of the cipher"}
"""Text in cryptsetup's error output → missing kernel module."""

REPLACE: Final = "set wipeVolume: true to recreate the volume, or correct the config"


@dataclass(frozen=True)
class MakeVolume:
    """Create a volume and open it; persists its key.

    Attributes:
        key: None if a key is to be generated. Secret.
        node: the kernel node of its device.
        cards: the crypto cards that protect its key, where wanted.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes | None = field(default=None, repr=False)
    node: str = ""
    cards: tuple[str, ...] = ()

    def describe(self) -> str:
        return f'creating LUKS volume "{self.volume.name}" on {self.volume.device}'

    def perform(self, host: Host) -> None:
        """Create and open it."""
        volume, key = self.volume, self.key
        volume_key = None
        if volume.cex.enabled:
            key = cex.passphrase(host)
            volume_key = cex.make_key(host, volume, self.cards)
        elif key is None:
            key = os.urandom(GENERATED).hex().encode()
        persist(_state_with_key(volume, key))
        command = cryptsetup.format_luks2(
            self.alias,
            key,
            label=volume.label,
            uuid=volume.uuid,
            options=volume.options,
            volume_key=volume_key,
            shown_as=volume.device or "",
        )
        with host.devices.locked([self.node]):
            _run(host, command)
        _finish(host, self.path, volume, self.alias, key)


@dataclass(frozen=True)
class ResumeVolume:
    """Resume a volume that an earlier try of this boot created, or began to create.

    Attributes:
        key: the key that it was created with; None if that key was removed. Secret.
        is_bound: whether it is bound to Clevis.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes | None = field(default=None, repr=False)
    is_bound: bool = False
    is_open: bool = False

    def describe(self) -> str:
        return f'resuming LUKS volume "{self.volume.name}" on {self.volume.device}'

    def perform(self, host: Host) -> None:
        """Do the remaining steps.

        Raises:
            IgnitionError: the key does not open the volume, so it is another one.
        """
        volume = self.volume
        key = cex.passphrase(host) if volume.cex.enabled else self.key
        if key is not None:
            trying = cryptsetup.try_key(self.alias, volume.name, key)
            tried = host.run(replace(trying, ok=(0, cryptsetup.WRONG_KEY)))
            if tried.status == 0:
                _finish(
                    host, self.path, volume, self.alias, key, is_bound=self.is_bound, is_open=self.is_open
                )
                return
            if volume.key_file.source or not self.is_bound:
                raise IgnitionError(
                    f"the key of this boot does not open the LUKS volume on {volume.device}",
                    path=self.path,
                    hint=REPLACE,
                )
        if not self.is_open:
            clevis.open_volume(host, self.alias, volume, (*self.path, "clevis"))
        persist(_state_without_key(volume))


@dataclass(frozen=True)
class OpenVolume:
    """Open an existing volume, or try the key of an open one; persists its key.

    Raises:
        IgnitionError: the key is wrong; nothing was changed.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes = field(repr=False)
    is_open: bool = False

    def describe(self) -> str:
        verb = "trying the key of open" if self.is_open else "opening"
        return f'{verb} LUKS volume "{self.volume.name}" on {self.volume.device}'

    def perform(self, host: Host) -> None:
        volume = self.volume
        command = (
            cryptsetup.try_key(self.alias, volume.name, self.key)
            if self.is_open
            else _opening(volume, self.alias, self.key)
        )
        try:
            _run(host, command)
        except CommandFailed as error:
            if error.ran.status != cryptsetup.WRONG_KEY:
                raise
            raise IgnitionError(
                f"the key of the config does not open the LUKS volume on {volume.device}",
                path=(*self.path, "keyFile"),
                hint=REPLACE,
            ) from error
        persist(_state_with_key(volume, self.key))


@dataclass(frozen=True)
class CloseVolume:
    """Close an unused open volume, so that it can be recreated."""

    path: ConfigPath
    volume: Luks

    def describe(self) -> str:
        return f'closing LUKS volume "{self.volume.name}" to recreate it'

    def perform(self, host: Host) -> None:
        """Close it; fails if it is in use."""
        host.run(cryptsetup.close(self.volume.name))


def _finish(
    host: Host,
    path: ConfigPath,
    volume: Luks,
    alias: str,
    key: bytes,
    *,
    is_bound: bool = False,
    is_open: bool = False,
) -> None:
    """Do everything that follows the creation of a volume: bind, test, open, remove the generated key."""
    place = (*path, "clevis")
    persist(_state_with_key(volume, key))
    if volume.cex.enabled:
        cex.note_pattern(host, alias, volume)
        persist(cex.state_with_key_files(host, volume))
    if volume.clevis.present:
        if not is_bound:
            clevis.bind(host, alias, volume, key, place)
        clevis.prove(host, alias, volume, place)
    if not is_open:
        _run(host, _opening(volume, alias, key))
    if volume.clevis.present and not volume.key_file.source:
        host.run(cryptsetup.remove_key(alias, volume.name, key))
        persist(_state_without_key(volume))


def _run(host: Host, command: Command) -> None:
    """Run it; the hint of an error names a missing kernel module."""
    try:
        host.run(command)
    except CommandFailed as error:
        for text, modules in MODULES.items():
            if text in error.ran.stderr:
                error.hint = f"add the kernel module {modules} to the initramfs"
        raise


def _opening(volume: Luks, alias: str, key: bytes) -> Command:
    return cryptsetup.open_volume(
        alias, volume.name, key, discard=volume.discard is True, options=volume.open_options
    )


def _state_with_key(volume: Luks, key: bytes) -> State:
    return State(luks_keys={volume.name: dataurl.encode(key)})


def _state_without_key(volume: Luks) -> State:
    return State(luks_keys={volume.name: KEY_REMOVED})
