# SPDX-License-Identifier: Apache-2.0
"""cryptsetup: create, open and inspect LUKS volumes.

Order and spelling of the options: docs/reference/stages.md, "disks stage: LUKS". Keys are passed on standard
input, and not in temporary files like the reference does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.command import Command

__all__ = [
    "PROGRAM",
    "WRONG_KEY",
    "Metadata",
    "VolumeKey",
    "close",
    "device_of",
    "format_luks2",
    "is_luks2",
    "metadata",
    "open_volume",
    "parse_metadata",
    "remove_key",
    "try_key",
    "uuid",
]

PROGRAM: Final = "cryptsetup"

NOT_LUKS2: Final = 1
WRONG_KEY: Final = 2
"""Exit status when no key slot opens. Source: cryptsetup(8)."""

FROM_STDIN: Final = ("--key-file", "-")
BINDING: Final = "clevis"
"""Type of the LUKS tokens of Clevis."""


@dataclass(frozen=True)
class VolumeKey:
    """A volume key that cryptsetup uses instead of generating one.

    Attributes:
        file: path of the key, which only this machine's crypto card can use.
        size: in bytes.
        cipher: the cipher specification.
    """

    file: str
    size: int
    cipher: str


def device_of(name: str) -> str:
    """Return the device path of an open volume."""
    return f"/dev/mapper/{name}"


def is_luks2(device: str) -> Command:
    """Check whether a device is a LUKS 2 volume: exit status 0 or 1."""
    return Command(
        ("cryptsetup", "isLuks", device, "--type", "luks2"),
        f"checking whether {device} is a LUKS 2 volume",
        ok=(0, NOT_LUKS2),
    )


def uuid(device: str) -> Command:
    """Print the UUID of a volume."""
    return Command(("cryptsetup", "luksUUID", device), f"reading the UUID of the LUKS volume on {device}")


def metadata(device: str) -> Command:
    """Print the metadata of a LUKS 2 volume as JSON, without keys."""
    return Command(
        ("cryptsetup", "luksDump", "--dump-json-metadata", device),
        f"reading the metadata of the LUKS volume on {device}",
    )


@dataclass(frozen=True)
class Metadata:
    """The metadata of a LUKS 2 volume.

    Attributes:
        flags: persistent flags such as `allow-discards`.
        bindings: key slots that Clevis unlocks, the newest last.
        is_void: whether it has no key slot, because its creation was interrupted.
    """

    flags: frozenset[str] = frozenset()
    bindings: tuple[int, ...] = ()
    is_void: bool = False


def parse_metadata(text: str) -> Metadata:
    """Parse the output of `metadata`.

    Raises:
        IgnitionError: the output is invalid.
    """
    try:
        found = json.loads(text)
        tokens = found.get("tokens", {})
        bound = [tokens[number] for number in sorted(tokens, key=int)]
        return Metadata(
            flags=frozenset(found["config"].get("flags", ())),
            bindings=tuple(
                int(slot) for each in bound if each["type"] == BINDING for slot in each["keyslots"]
            ),
            is_void=found.get("keyslots") == {},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IgnitionError("cannot parse the metadata that cryptsetup printed") from error


def format_luks2(
    device: str,
    key: bytes,
    *,
    label: str | None = None,
    uuid: str | None = None,
    options: Sequence[str] = (),
    volume_key: VolumeKey | None = None,
    shown_as: str = "",
) -> Command:
    """Create a volume; existing data on the device is lost."""
    argv = ["cryptsetup", "luksFormat", "--type", "luks2", *FROM_STDIN]
    if label is not None:
        argv += ["--label", label]
    if uuid is not None:
        argv += ["--uuid", uuid]
    argv += [*options, device]
    if volume_key is not None:
        argv += ["--volume-key-file", volume_key.file, "--cipher", volume_key.cipher]
        argv += ["--key-size", str(volume_key.size * 8)]
    return Command(tuple(argv), f"creating a LUKS volume on {shown_as or device}", stdin=key)


def open_volume(
    device: str, name: str, key: bytes, *, discard: bool = False, options: Sequence[str] = ()
) -> Command:
    """Open a volume under its name (`device_of`); the options become persistent flags."""
    discards = ("--allow-discards",) if discard else ()
    return Command(
        ("cryptsetup", "luksOpen", device, name, *FROM_STDIN, "--persistent", *discards, *options),
        f"opening LUKS volume {name}",
        stdin=key,
    )


def try_key(device: str, name: str, key: bytes) -> Command:
    """Test a key without opening the volume."""
    return Command(
        ("cryptsetup", "luksOpen", "--test-passphrase", device, *FROM_STDIN),
        f"testing the key of LUKS volume {name}",
        stdin=key,
    )


def close(name: str) -> Command:
    return Command(("cryptsetup", "luksClose", name), f"closing LUKS volume {name}")


def remove_key(device: str, name: str, key: bytes) -> Command:
    """Remove a key from a volume; cryptsetup would ask before removing the last one."""
    return Command(
        ("cryptsetup", "luksRemoveKey", device, *FROM_STDIN),
        f"removing the generated key of LUKS volume {name}",
        stdin=key,
    )
