# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes that Clevis unlocks with Tang servers, a TPM 2, or custom pins.

The pins are tried before the stage writes anything (`Pins`): an unreachable Tang server, a wrong thumbprint
or a missing TPM must not destroy data. Rules: docs/reference/stages.md, "disks stage: LUKS".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, NotFound, Refusal
from ignition.host import Host, View
from ignition.host.command import Command, CommandFailed, Ran
from ignition.host.files.memfd import memory_file
from ignition.host.source import Source
from ignition.schemas.config import Config
from ignition.schemas.luks import Clevis, Tang
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.tools import clevis, cryptsetup

__all__ = ["Pins", "TryPins", "bind", "needs", "netdev", "open_volume", "policy", "refusals", "unlocked_by"]

PATH: ConfigPath = ("storage", "luks")
TPM: Final = "/dev/tpmrm0"
"""The TPM 2 device of the kernel's resource manager, the only one that clevis uses."""

SHARED: Final = "sss"
"""The pin that splits a secret among other pins, of which `t` recover it."""
TRIED: Final = frozenset({"tang", "tpm2", SHARED})
"""Pins that are tried; others may need a user interaction each time."""

BINDING: Final = ("clevis", "clevis-luks-bind", "clevis-luks-unlock", "clevis-decrypt", "jose", "pwmake")
PROGRAMS: Final = {"tang": ("curl",), "tpm2": ("tpm2_create", "tpm2_unseal")}
"""Pin → programs that it needs besides its own."""


# Configuration.


def policy(wanted: Clevis) -> tuple[str, str]:
    """Return the pin and its configuration as JSON."""
    custom = wanted.custom
    if custom.pin:
        return custom.pin, custom.config or ""
    pins: dict[str, Any] = {}
    if wanted.tang:
        pins["tang"] = [_server(tang) for tang in wanted.tang]
    if wanted.tpm2:
        pins["tpm2"] = {}
    return SHARED, json.dumps({"pins": pins, "t": wanted.threshold or 1}, separators=(",", ":"))


def _server(tang: Tang) -> dict[str, Any]:
    server: dict[str, Any] = {"url": tang.url, "thp": tang.thumbprint}
    if tang.advertisement:
        server["adv"] = json.loads(tang.advertisement)
    return server


def can_be_proven(wanted: Clevis) -> bool:
    """Whether enough pins are available now; a Tang server with a given advertisement may not be."""
    if wanted.custom.pin:
        return {pin for pin, _ in _pins(wanted, ())} <= TRIED
    here = sum(not tang.advertisement for tang in wanted.tang) + bool(wanted.tpm2)
    return here >= (wanted.threshold or 1)


def netdev(wanted: Clevis) -> bool:
    """Whether unlocking needs the network."""
    return bool(wanted.tang or (wanted.custom.pin and wanted.custom.needs_network))


def unlocked_by(wanted: Clevis) -> str:
    """Describe the pins: "any 2 of the TPM 2, the Tang server at http://…"."""
    if wanted.custom.pin:
        return f"the Clevis pin {wanted.custom.pin}"
    from ignition.resource import redact

    pins = [f"the Tang server at {redact(tang.url)}" for tang in wanted.tang]
    pins += ["the TPM 2"] if wanted.tpm2 else []
    threshold = wanted.threshold or 1
    if len(pins) == 1:
        return pins[0]
    return f"{'all' if threshold == len(pins) else f'any {threshold}'} of {', '.join(pins)}"


def refusals(wanted: Clevis, path: ConfigPath) -> Iterator[Refusal]:
    """Refuse configurations that can never unlock the volume; `path` is that of the `clevis` object."""
    if wanted.custom.pin:
        return
    pins, threshold = len(wanted.tang) + bool(wanted.tpm2), wanted.threshold or 1
    if not 1 <= threshold <= pins:
        reason = f"the threshold is {threshold}, expected 1 to {pins} (the number of pins)"
        yield Refusal((*path, "threshold"), reason, f"set a threshold between 1 and {pins}")
    for index, tang in enumerate(wanted.tang):
        if tang.advertisement and not isinstance(json.loads(tang.advertisement), dict):
            reason, hint = (
                "the Tang advertisement must be a JSON object",
                "copy the answer of the server's URL /adv",
            )
            yield Refusal((*path, "tang", index, "advertisement"), reason, hint)


def needs(wanted: Clevis, path: ConfigPath) -> Iterator[tuple[str, ConfigPath]]:
    """Yield the programs that the pins need, each with the config path that needs it."""
    for program in BINDING:
        yield program, path
    for pin, place in _pins(wanted, path):
        for program in (f"clevis-encrypt-{pin}", f"clevis-decrypt-{pin}", *PROGRAMS.get(pin, ())):
            yield program, place


def _pins(wanted: Clevis, path: ConfigPath) -> Iterator[tuple[str, ConfigPath]]:
    """Yield all pins, also those inside a custom `sss` configuration."""
    if wanted.custom.pin:
        yield from (
            (pin, (*path, "custom")) for pin in _within(wanted.custom.pin, wanted.custom.config or "")
        )
        return
    yield SHARED, path
    if wanted.tang:
        yield "tang", (*path, "tang")
    if wanted.tpm2:
        yield "tpm2", (*path, "tpm2")


def _within(pin: str, config: str) -> Iterator[str]:
    yield pin
    if pin != SHARED:
        return
    try:
        within = json.loads(config)["pins"]
        for each, settings in within.items():
            yield from _within(each, json.dumps(settings))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # clevis reports the fault


# Trying the pins before anything is written.


@dataclass(frozen=True)
class TryPins:
    """Encrypt a test text with the pins of a volume; a faulty pin fails here."""

    path: ConfigPath
    volume: Luks

    def describe(self) -> str:
        return f'trying the Clevis pins of LUKS volume "{self.volume.name}"'

    def perform(self, host: Host) -> None:
        """Ask the servers, wait for the TPM, encrypt.

        Raises:
            IgnitionError: a pin does not work; nothing was changed.
        """
        wanted = self.volume.clevis
        for index, tang in enumerate(wanted.tang):
            if not tang.advertisement:
                _ask(host, tang, (*self.path, "tang", index))
        pins = dict(_pins(wanted, self.path))
        if "tpm2" in pins:
            _await_tpm(host, pins["tpm2"])
        if pins.keys() <= TRIED:
            _run(host, clevis.encrypt(*policy(wanted), why=self.describe()), self.path)


def _ask(host: Host, tang: Tang, path: ConfigPath) -> None:
    """Fetch a server's advertisement with retries, which clevis does not do."""
    try:
        host.fetch.bytes(Source(f"{tang.url.rstrip('/')}/adv/{tang.thumbprint}"))
    except NotFound as error:
        why = f"the Tang server has no key with this thumbprint: {error}"
        hint = "correct the thumbprint (`tang-show-keys` on the server prints it) or the URL"
        raise IgnitionError(why, path=(*path, "thumbprint"), hint=hint) from error
    except IgnitionError as error:
        why = f"cannot fetch the advertisement of the Tang server: {error}"
        hint = error.hint or "check the URL, and start the server"
        raise IgnitionError(why, path=(*path, "url"), hint=hint) from error


def _await_tpm(host: Host, path: ConfigPath) -> None:
    try:
        host.devices.wait({TPM: path})
    except IgnitionError as error:
        why = f"no TPM 2 found: {TPM} did not appear"
        hint = "add a TPM 2 to the machine, or its kernel module to the initramfs"
        raise IgnitionError(why, path=path, hint=hint) from error


class Pins:
    """The step that tries the Clevis pins of all volumes before other steps write."""

    name = "clevis"

    def wanted(self, config: Config) -> bool:
        return any(volume.clevis.present for volume in config.storage.luks)

    def observe(self, config: Config, host: View, state: State) -> None:
        """Observe nothing: trying pins is an action, which previews do not perform."""

    def plan(self, config: Config, facts: None) -> Plan:  # noqa: ARG002
        actions: tuple[Action, ...] = tuple(
            TryPins((*PATH, index, "clevis"), volume)
            for index, volume in enumerate(config.storage.luks)
            if volume.clevis.present
        )
        return Plan(actions)


# Binding.


def bind(host: Host, alias: str, volume: Luks, key: bytes, path: ConfigPath) -> None:
    """Bind a volume to its pins; `path` is that of the `clevis` object."""
    pin, config = policy(volume.clevis)
    with memory_file(key) as key_file:
        _run(host, clevis.bind(alias, pin, config, key_file, name=volume.name), path)


def prove(host: Host, alias: str, volume: Luks, path: ConfigPath) -> None:
    """Check that the pins unlock the volume, as far as they are available in the initramfs.

    A custom policy may be satisfied only in the installed system, for example by its TPM measurements, so
    its failure is only a warning.

    Raises:
        CommandFailed: the pins do not unlock it.
        IgnitionError: the volume has no binding.
    """
    bindings = cryptsetup.parse_metadata(host.run(cryptsetup.metadata(alias)).stdout).bindings
    if not bindings:
        raise IgnitionError(f'LUKS volume "{volume.name}" has no Clevis binding', path=path)
    if not can_be_proven(volume.clevis):
        log.info(f'not all pins of LUKS volume "{volume.name}" are available, so unlocking is not tried')
        return
    try:
        _run(host, clevis.unlock_slot(alias, bindings[-1], name=volume.name), path)
    except CommandFailed as error:
        if not volume.clevis.custom.pin:
            raise
        log.warning(f'the Clevis pin of LUKS volume "{volume.name}" does not unlock it here: {error}')


def open_volume(host: Host, alias: str, volume: Luks, path: ConfigPath) -> None:
    """Open a volume with Clevis, after its generated key was removed."""
    _run(host, clevis.unlock(alias, volume.name), path)


def _run(host: Host, command: Command, path: ConfigPath) -> Ran:
    try:
        return host.run(command)
    except CommandFailed as error:
        error.path, error.hint = path, error.hint or clevis.hint_for(error.ran.stderr)
        raise
