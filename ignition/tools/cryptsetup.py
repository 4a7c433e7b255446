"""cryptsetup: makes, opens and recognises encrypted volumes (LUKS).

Order and spelling of the options: engine.md 9.3.3. Keys are handed over on standard input, where the
reference writes them to files: a key lies in no file before the one that the config asks for.
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
"""The type of the tokens in which Clevis keeps what unlocks a key slot."""


@dataclass(frozen=True)
class VolumeKey:
    """A key that the volume is encrypted with, instead of one of cryptsetup's own.

    Attributes:
        file: where it is; what is in it is of use only to the machine's own crypto card.
        size: its bytes.
        cipher: what it is for.
    """

    file: str
    size: int
    cipher: str


def device_of(name: str) -> str:
    """The device of an open volume."""
    return f"/dev/mapper/{name}"


def is_luks2(device: str) -> Command:
    """Ask whether there is a volume of version 2: status 0 or 1."""
    return Command(
        ("cryptsetup", "isLuks", device, "--type", "luks2"),
        f"asking whether {device} is a LUKS 2 volume",
        ok=(0, NOT_LUKS2),
    )


def uuid(device: str) -> Command:
    """Print the volume's UUID."""
    return Command(("cryptsetup", "luksUUID", device), f"reading the UUID of the volume on {device}")


def metadata(device: str) -> Command:
    """Print the metadata of a volume of version 2 as JSON; it holds no key."""
    return Command(
        ("cryptsetup", "luksDump", "--dump-json-metadata", device),
        f"reading the metadata of the volume on {device}",
    )


@dataclass(frozen=True)
class Metadata:
    """What a volume says of itself.

    Attributes:
        flags: how it is to be opened, such as `allow-discards`.
        bindings: the key slots that Clevis unlocks, the last one made last.
        is_void: it has no key slot, so nothing opens it: it was not made to its end.
    """

    flags: frozenset[str] = frozenset()
    bindings: tuple[int, ...] = ()
    is_void: bool = False


def parse_metadata(text: str) -> Metadata:
    """What `metadata` has printed.

    Raises:
        IgnitionError: it cannot be understood.
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
        raise IgnitionError("the metadata that cryptsetup printed cannot be understood") from error


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
    """Make a volume, whatever is on the device."""
    argv = ["cryptsetup", "luksFormat", "--type", "luks2", *FROM_STDIN]
    if label is not None:
        argv += ["--label", label]
    if uuid is not None:
        argv += ["--uuid", uuid]
    argv += [*options, device]
    if volume_key is not None:
        argv += ["--volume-key-file", volume_key.file, "--cipher", volume_key.cipher]
        argv += ["--key-size", str(volume_key.size * 8)]
    return Command(tuple(argv), f"creating an encrypted volume on {shown_as or device}", stdin=key)


def open_volume(
    device: str, name: str, key: bytes, *, discard: bool = False, options: Sequence[str] = ()
) -> Command:
    """Open a volume under its name (`device_of`); the options are kept in it."""
    discards = ("--allow-discards",) if discard else ()
    return Command(
        ("cryptsetup", "luksOpen", device, name, *FROM_STDIN, "--persistent", *discards, *options),
        f"opening the encrypted volume {name}",
        stdin=key,
    )


def try_key(device: str, name: str, key: bytes) -> Command:
    """Try a key without opening anything."""
    return Command(
        ("cryptsetup", "luksOpen", "--test-passphrase", device, *FROM_STDIN),
        f"trying the key of the encrypted volume {name}",
        stdin=key,
    )


def close(name: str) -> Command:
    """Close an open volume."""
    return Command(("cryptsetup", "luksClose", name), f"closing the encrypted volume {name}")


def remove_key(device: str, name: str, key: bytes) -> Command:
    """Take a key away from a volume; never the last one, since nobody is there to confirm that."""
    return Command(
        ("cryptsetup", "luksRemoveKey", device, *FROM_STDIN),
        f"taking the generated key away from the encrypted volume {name}",
        stdin=key,
    )
