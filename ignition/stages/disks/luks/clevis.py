"""Encrypted volumes that servers and chips unlock: the rules of Clevis, and what is done with its help.

What a volume is bound to is tried out before anything of the machine is changed (`Pins`): a Tang server that
cannot be reached, a thumbprint that is not its own, a TPM that is not there must not cost anybody's data.
Rules: engine.md 9.3.3, point 7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ignition import log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, NotFound, Refusal
from ignition.host import Host
from ignition.host.command import Command, CommandFailed, Ran
from ignition.host.files.memfd import in_memory
from ignition.host.source import Source
from ignition.schemas.config import Config
from ignition.schemas.luks import Clevis, Tang
from ignition.schemas.storage import Luks
from ignition.stages import Action, Plan
from ignition.tools import clevis, cryptsetup

if TYPE_CHECKING:
    from ignition.preview.effects import Effect

__all__ = ["Pins", "TryPins", "bind", "needs", "netdev", "open_volume", "policy", "refusals", "unlocked_by"]

PATH: ConfigPath = ("storage", "luks")
TPM: Final = "/dev/tpmrm0"
"""The TPM 2 behind the kernel's resource manager; clevis takes no other."""

SHARED: Final = "sss"
"""The pin that shares a secret among others, any `t` of which bring it back."""
TRIED: Final = frozenset({"tang", "tpm2", SHARED})
"""Pins that are tried out; others may want somebody to touch something each time."""

BINDING: Final = ("clevis", "clevis-luks-bind", "clevis-luks-unlock", "clevis-decrypt", "jose", "pwmake")
PROGRAMS: Final = {"tang": ("curl",), "tpm2": ("tpm2_create", "tpm2_unseal")}
"""Pin → programs that it needs besides its own."""


# The rules.


def policy(wanted: Clevis) -> tuple[str, str]:
    """The pin, and its configuration as JSON."""
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
    """Whether enough of what unlocks the volume is here; a server whose advertisement is given may not be."""
    if wanted.custom.pin:
        return {pin for pin, _ in _pins(wanted, ())} <= TRIED
    here = sum(not tang.advertisement for tang in wanted.tang) + bool(wanted.tpm2)
    return here >= (wanted.threshold or 1)


def netdev(wanted: Clevis) -> bool:
    """Whether unlocking needs the network."""
    return bool(wanted.tang or (wanted.custom.pin and wanted.custom.needs_network))


def unlocked_by(wanted: Clevis) -> str:
    """What unlocks the volume, for a reader: "any 2 of the TPM 2, the Tang server at http://…"."""
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
    """Why nothing could ever unlock the volume. `path` is that of the `clevis` object."""
    if wanted.custom.pin:
        return
    pins, threshold = len(wanted.tang) + bool(wanted.tpm2), wanted.threshold or 1
    if not 1 <= threshold <= pins:
        reason = f"{threshold} of {pins} {'pin' if pins == 1 else 'pins'} would have to unlock the volume"
        yield Refusal((*path, "threshold"), reason, "the threshold is from 1 up to the number of pins")
    for index, tang in enumerate(wanted.tang):
        if tang.advertisement and not isinstance(json.loads(tang.advertisement), dict):
            reason, hint = "the advertisement is not one", "it is what the server says at /adv, a JSON object"
            yield Refusal((*path, "tang", index, "advertisement"), reason, hint)


def needs(wanted: Clevis, path: ConfigPath) -> Iterator[tuple[str, ConfigPath]]:
    """The programs that the pins need, each with the place in the config that asks for it."""
    for program in BINDING:
        yield program, path
    for pin, place in _pins(wanted, path):
        for program in (f"clevis-encrypt-{pin}", f"clevis-decrypt-{pin}", *PROGRAMS.get(pin, ())):
            yield program, place


def _pins(wanted: Clevis, path: ConfigPath) -> Iterator[tuple[str, ConfigPath]]:
    """All pins that take part, those in the config of a custom `sss` too."""
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
        return  # clevis will say what is wrong with it


# Trying, before anything is at stake.


@dataclass(frozen=True)
class TryPins:
    """Encrypt a text of no value as the volume's key will be; what does not work, fails here."""

    path: ConfigPath
    volume: Luks

    def describe(self) -> str:
        """Whose pins."""
        return f"trying out what is to unlock the encrypted volume {self.volume.name}"

    def perform(self, host: Host) -> None:
        """Ask the servers, wait for the TPM, encrypt.

        Raises:
            IgnitionError: something of it does not work; nothing was changed.
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
    """Get a server's advertisement, tried again as every other resource is, which clevis does not do."""
    try:
        host.fetch.bytes(Source(f"{tang.url.rstrip('/')}/adv/{tang.thumbprint}"))
    except NotFound as error:
        why = f"the Tang server has no key with this thumbprint: {error}"
        hint = "correct the thumbprint (`tang-show-keys` on the server prints it) or the URL"
        raise IgnitionError(why, path=(*path, "thumbprint"), hint=hint) from error
    except IgnitionError as error:
        why = f"the advertisement of the Tang server could not be fetched: {error}"
        hint = error.hint or "check the URL, and that the server runs"
        raise IgnitionError(why, path=(*path, "url"), hint=hint) from error


def _await_tpm(host: Host, path: ConfigPath) -> None:
    try:
        host.devices.wait({TPM: path})
    except IgnitionError as error:
        why = f"this machine has no TPM 2: {TPM} did not appear"
        hint = "give it one, or put the kernel module for it into the initramfs"
        raise IgnitionError(why, path=path, hint=hint) from error


class Pins:
    """The step before all others of the disks stage, for volumes that Clevis is to unlock."""

    name = "clevis"

    def wanted(self, config: Config) -> bool:
        """Whether there is such a volume."""
        return any(volume.clevis.present for volume in config.storage.luks)

    def observe(self, config: Config, host: Host, state: State) -> None:
        """Nothing: trying is no looking, and a preview does not do it."""

    def plan(self, config: Config, facts: None) -> Plan:  # noqa: ARG002
        """Try each."""
        actions: tuple[Action, ...] = tuple(
            TryPins((*PATH, index, "clevis"), volume)
            for index, volume in enumerate(config.storage.luks)
            if volume.clevis.present
        )
        return Plan(actions)

    def effects(self, config: Config, facts: None, host: Host) -> Iterator[Effect]:  # noqa: ARG002
        """None: what is tried leaves nothing behind."""
        return iter(())


# Binding.


def bind(host: Host, alias: str, volume: Luks, key: bytes, path: ConfigPath) -> None:
    """Bind a volume to its pins. `path` is that of the `clevis` object."""
    pin, config = policy(volume.clevis)
    with in_memory(key) as key_file:
        _run(host, clevis.bind(alias, pin, config, key_file, name=volume.name), path)


def prove(host: Host, alias: str, volume: Luks, path: ConfigPath) -> None:
    """See that what the volume is bound to unlocks it, as far as it can be here.

    A custom policy may be one that only the installed system meets, whose measurements a TPM compares: that
    it does not unlock here is a warning.

    Raises:
        CommandFailed: it does not.
        IgnitionError: the volume is bound to nothing.
    """
    bindings = cryptsetup.parse_metadata(host.run(cryptsetup.metadata(alias)).stdout).bindings
    if not bindings:
        raise IgnitionError(f"the encrypted volume {volume.name} is bound to nothing", path=path)
    if not can_be_proven(volume.clevis):
        log.info(f"what is to unlock the encrypted volume {volume.name} is not all here, so it is not tried")
        return
    try:
        _run(host, clevis.unlock_slot(alias, bindings[-1], name=volume.name), path)
    except CommandFailed as error:
        if not volume.clevis.custom.pin:
            raise
        log.warning(f"the Clevis pin of the encrypted volume {volume.name} does not unlock it here: {error}")


def open_volume(host: Host, alias: str, volume: Luks, path: ConfigPath) -> None:
    """Open a volume whose other keys are gone."""
    _run(host, clevis.unlock(alias, volume.name), path)


def _run(host: Host, command: Command, path: ConfigPath) -> Ran:
    try:
        return host.run(command)
    except CommandFailed as error:
        error.path, error.hint = path, error.hint or clevis.hint_for(error.ran.stderr)
        raise
