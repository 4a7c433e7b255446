"""cryptsetup: makes, opens and recognises encrypted volumes (LUKS).

Order and spelling of the options: engine.md 9.3.3. Keys are handed over on standard input, where the
reference writes them to files: a key lies in no file before the one that the config asks for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.command import Command

__all__ = [
    "WRONG_KEY",
    "format_luks2",
    "is_luks",
    "metadata",
    "open_volume",
    "parse_flags",
    "try_key",
    "uuid",
]

NOT_LUKS: Final = 1
WRONG_KEY: Final = 2
"""Exit status when no key slot opens. Source: cryptsetup(8)."""

FROM_STDIN: Final = ("--key-file", "-")


def is_luks(device: str, *, version_2: bool) -> Command:
    """Ask whether there is a volume, of version 2 or of any: status 0 or 1."""
    version = ("--type", "luks2") if version_2 else ()
    return Command(
        ("cryptsetup", "isLuks", device, *version),
        f"asking whether {device} is a{' LUKS 2' if version_2 else 'n encrypted'} volume",
        ok=(0, NOT_LUKS),
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


def parse_flags(text: str) -> frozenset[str]:
    """The flags that are kept in a volume's metadata, such as `allow-discards`.

    Raises:
        IgnitionError: the metadata cannot be understood.
    """
    try:
        return frozenset(json.loads(text)["config"].get("flags", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IgnitionError("the metadata that cryptsetup printed cannot be understood") from error


def format_luks2(
    device: str,
    key: bytes,
    *,
    label: str | None = None,
    uuid: str | None = None,
    options: Sequence[str] = (),
    shown_as: str = "",
) -> Command:
    """Make a volume, whatever is on the device."""
    argv = ["cryptsetup", "luksFormat", "--type", "luks2", *FROM_STDIN]
    if label is not None:
        argv += ["--label", label]
    if uuid is not None:
        argv += ["--uuid", uuid]
    return Command(
        (*argv, *options, device), f"creating an encrypted volume on {shown_as or device}", stdin=key
    )


def open_volume(
    device: str, name: str, key: bytes, *, discard: bool = False, options: Sequence[str] = ()
) -> Command:
    """Open a volume as `/dev/mapper/NAME`; the options are kept in it."""
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
