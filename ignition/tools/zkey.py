"""zkey and zkey-cryptsetup: volume keys that are of use only to this machine's crypto card (IBM Z).

Source: zkey(1), zkey-cryptsetup(1), engine.md 9.3.3 point 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ignition.host.command import Command

__all__ = ["CIPHER", "PROGRAMS", "generate", "set_pattern"]

PROGRAMS: Final = ("zkey", "zkey-cryptsetup")
CIPHER: Final = "paes-xts-plain64"


def generate(key_name: str, volume: str, cards: Sequence[str]) -> Command:
    """Make a volume key that the cards protect (`xx.xxxx` each), in the key repository."""
    return Command(
        (
            *("zkey", "generate", "--name", key_name, "--key-type", "CCA-AESCIPHER", "--xts"),
            *("--description", f"Secure Key for {volume} Volume", "--apqns", ",".join(cards)),
        ),
        f"making the volume key of the encrypted volume {volume}",
    )


def set_pattern(device: str, volume: str, key_file: str) -> Command:
    """Note in a volume how its volume key can be recognised when it has to be wrapped anew."""
    return Command(
        ("zkey-cryptsetup", "setvp", device, "--key-file", key_file),
        f"noting the verification pattern of the encrypted volume {volume}",
    )
