# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes and the ways to unlock them.

Source: docs/reference/config-language.md, "LUKS".
"""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error
from ignition.schemas.marks import absent_before, appended, keyed, not_null_before, secret, since, values
from ignition.schemas.paths import check_path
from ignition.schemas.resource import Resource
from ignition.schemas.sources import fault_of_source, scheme_of
from ignition.schemas.spec import Spec

__all__ = ["Cex", "Clevis", "ClevisCustom", "Luks", "Tang"]

LONGEST_LABEL = 47
"""Limit for the label of a LUKS 2 volume, in bytes of UTF-8."""

PINS = values(tpm2="3.2.0", tang="3.2.0", sss="3.2.0", any_since="3.6.0")


class Cex(Node):
    """Encryption with a key in an IBM Crypto Express card."""

    enabled: bool | None = None
    """Whether the volume's key is bound to the card."""


class ClevisCustom(Node):
    """A custom Clevis pin."""

    config: Annotated[str | None, not_null_before("3.3.0"), secret] = None
    """JSON config of the pin."""
    needs_network: bool | None = None
    """Whether unlocking needs the network."""
    pin: Annotated[
        str | None,
        not_null_before("3.3.0"),
        PINS,
    ] = None
    """Name of the Clevis pin."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the pin has a name and a config."""
        needs_network = self.needs_network and spec >= Spec.V3_3
        if not self.pin and not self.config and not needs_network:
            return
        if not self.pin:
            yield error("clevis-pin-missing", "the Clevis pin is missing", "pin")
        elif not PINS.accepts(self.pin, spec):
            hint = f"use one of {', '.join(PINS.known(spec))}, or spec 3.6.0 or later"
            yield error("clevis-pin", "the Clevis pin is unknown", "pin", hint=hint)
        if not self.config:
            yield error("clevis-config-missing", "the pin's config is missing", "config")


class Tang(Node):
    """A Tang server."""

    advertisement: Annotated[str | None, since("3.4.0")] = None
    """The server's advertisement as a JSON string, for provisioning without the server."""
    thumbprint: str | None = None
    """Thumbprint of the server's trusted signing key."""
    url: str = ""
    """URL of the server."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the URL, the thumbprint and the advertisement."""
        if scheme_of(self.url) not in ("http", "https"):
            yield error("tang-url", "the server's URL is not an http or https URL", "url")
        if not self.thumbprint:
            message, hint = (
                "the server's thumbprint is missing",
                "run `tang-show-keys` on the server to print it",
            )
            yield error("tang-thumbprint-missing", message, "thumbprint", hint=hint)
        if self.advertisement and not _is_json(self.advertisement):
            yield error("tang-advertisement", "the advertisement is not JSON", "advertisement")


def _is_json(text: str) -> bool:
    import json

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


class Clevis(Node):
    """Automatic unlocking with Clevis."""

    custom: Annotated[ClevisCustom, absent_before("3.3.0")] = ClevisCustom.empty()
    """A custom pin, instead of the other fields."""
    tang: Annotated[tuple[Tang, ...], keyed("url")] = ()
    """Tang servers for unlocking."""
    threshold: int | None = None
    """Number of pins that are needed to unlock; 1 if absent."""
    tpm2: bool | None = None
    """Whether the TPM 2 of the machine is used for unlocking."""

    @property
    def present(self) -> bool:
        """Whether Clevis is configured."""
        return bool(self.custom.pin or self.tang or self.tpm2 or self.threshold)


class Luks(Node):
    """A LUKS 2 volume."""

    cex: Annotated[Cex, since("3.5.0")] = Cex.empty()
    """Encryption with a key in an IBM Crypto Express card."""
    clevis: Annotated[Clevis, absent_before("3.3.0")] = Clevis.empty()
    """Automatic unlocking with Clevis."""
    device: str | None = None
    """Absolute path of the device to encrypt."""
    discard: Annotated[bool | None, since("3.4.0")] = None
    """Whether discards are passed through to the device."""
    key_file: Resource = Resource.empty()
    """Key of the volume; generated if absent."""
    label: str | None = None
    """Label of the volume, at most 47 bytes."""
    name: str = ""
    """Name of the volume; its device is `/dev/mapper/` followed by the name."""
    open_options: Annotated[tuple[str, ...], since("3.4.0"), keyed()] = ()
    """Options for `cryptsetup luksOpen` that are stored in the volume."""
    options: Annotated[tuple[str, ...], appended] = ()
    """Further options for `cryptsetup luksFormat`."""
    uuid: str | None = None
    """UUID of the volume."""
    wipe_volume: bool | None = None
    """Whether an existing volume is created again."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the name, the label, the device, and the ways to unlock the volume."""
        if "/" in self.name:
            yield error("luks-name", "the name contains a slash", "name")
        length = len((self.label or "").encode())
        if length > LONGEST_LABEL:
            message = f"the label has {length} bytes, expected at most {LONGEST_LABEL}"
            yield error("luks-label-length", message, "label")
        yield from check_path(self.device or "", "device")
        yield from self._check_clevis(spec)
        if self.key_file.source and fault_of_source(self.key_file.source, spec) is not None:
            yield error("luks-key-file", "the source of the key file is invalid", "keys")
        if self.cex.enabled and self.clevis.present:
            yield error("cex-and-clevis", "the LUKS volume has both cex and clevis", "cex")
        if self.cex.enabled and self.key_file.source:
            yield error("cex-and-key-file", "the LUKS volume has both cex and keyFile", "cex")

    def _check_clevis(self, spec: Spec) -> Iterator[Entry]:
        clevis = self.clevis
        before = spec < Spec.V3_3  # an empty object was enough
        custom = "custom" in clevis.given if before else clevis.custom.pin
        if custom and (clevis.tang or clevis.tpm2 or clevis.threshold):
            message = "a custom Clevis pin cannot be combined with tang, tpm2 and threshold"
            yield error("clevis-custom-with-others", message, "clevis")
