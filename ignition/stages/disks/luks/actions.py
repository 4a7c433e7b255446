"""What is done to one encrypted volume: making it, opening it, and going on where an earlier try ended.

A generated key is persisted before a volume exists that nothing else opens, and removed from the volume only
after its other means of unlocking was tried. So wherever this process is killed, another
try in the same boot can go on. Rules: engine.md 9.3.3.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Final

from ignition import dataurl
from ignition.boot.state import KEY_REMOVED, State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.command import Command, CommandFailed
from ignition.schemas.storage import Luks
from ignition.stages import persist
from ignition.stages.disks.luks import cex, clevis
from ignition.tools import cryptsetup

__all__ = ["REPLACE", "CloseVolume", "MakeVolume", "OpenVolume", "ResumeVolume"]

GENERATED: Final = 4096
"""Random bytes of a generated key; it is their hexadecimal digits."""

MODULES: Final = {"dm_mod": "dm_mod", "Check that kernel supports": "dm_crypt and that of the cipher"}
"""What cryptsetup says → what the kernel lacks."""

REPLACE: Final = "set wipeVolume: true to make the volume anew, or correct the config"


@dataclass(frozen=True)
class MakeVolume:
    """Make a volume and open it; leaves its key, unless nobody needs it.

    Attributes:
        key: `None` if one is to be generated. Secret.
        node: the kernel node of its device.
        cards: the crypto cards that protect its key, if they are to.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes | None = field(default=None, repr=False)
    node: str = ""
    cards: tuple[str, ...] = ()

    def describe(self) -> str:
        """The volume and its device."""
        return f"creating the encrypted volume {self.volume.name} on {self.volume.device}"

    def perform(self, host: Host) -> None:
        """Make it and open it."""
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
    """Bring a volume that an earlier try of this boot has made, or begun to make, to its end.

    Attributes:
        key: the key that it was made with; `None` if that is known to be gone. Secret.
        is_bound: whether Clevis has bound it.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes | None = field(default=None, repr=False)
    is_bound: bool = False
    is_open: bool = False

    def describe(self) -> str:
        """The volume and its device."""
        return f"going on with the encrypted volume {self.volume.name} on {self.volume.device}"

    def perform(self, host: Host) -> None:
        """Do what is left of it.

        Raises:
            IgnitionError: the volume is not the one that was made.
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
                    f"the key of this boot does not open the volume on {volume.device}",
                    path=self.path,
                    hint=REPLACE,
                )
        if not self.is_open:
            clevis.open_volume(host, self.alias, volume, (*self.path, "clevis"))
        persist(_state_without_key(volume))


@dataclass(frozen=True)
class OpenVolume:
    """Open a volume that is there, or try the key of one that is open; leaves its key.

    Raises:
        IgnitionError: the key is wrong; nothing was changed.
    """

    path: ConfigPath
    volume: Luks
    alias: str
    key: bytes = field(repr=False)
    is_open: bool = False

    def describe(self) -> str:
        """The volume and its device."""
        verb = "trying the key of the open" if self.is_open else "opening the"
        return f"{verb} encrypted volume {self.volume.name} on {self.volume.device}"

    def perform(self, host: Host) -> None:
        """Open it."""
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
                f"the key of the config does not open the volume on {volume.device}",
                path=(*self.path, "keyFile"),
                hint=REPLACE,
            ) from error
        persist(_state_with_key(volume, self.key))


@dataclass(frozen=True)
class CloseVolume:
    """Close an open volume that nothing uses, so that it can be made anew."""

    path: ConfigPath
    volume: Luks

    def describe(self) -> str:
        """The volume."""
        return f"closing the encrypted volume {self.volume.name}, to make it anew"

    def perform(self, host: Host) -> None:
        """Close it; if it is in use after all, this fails."""
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
    """All that follows once there is a volume that the key opens; what was done before is left out."""
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
    """Run it; an error that a missing kernel module explains names that."""
    try:
        host.run(command)
    except CommandFailed as error:
        for text, modules in MODULES.items():
            if text in error.ran.stderr:
                error.hint = f"put the kernel module {modules} into the initramfs"
        raise


def _opening(volume: Luks, alias: str, key: bytes) -> Command:
    return cryptsetup.open_volume(
        alias, volume.name, key, discard=volume.discard is True, options=volume.open_options
    )


def _state_with_key(volume: Luks, key: bytes) -> State:
    return State(luks_keys={volume.name: dataurl.encode(key)})


def _state_without_key(volume: Luks) -> State:
    return State(luks_keys={volume.name: KEY_REMOVED})
