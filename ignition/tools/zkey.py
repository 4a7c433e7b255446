# SPDX-License-Identifier: Apache-2.0
"""zkey and zkey-cryptsetup: volume keys that only this machine's crypto card can use (IBM Z).

Source: zkey(1), zkey-cryptsetup(1), docs/reference/stages.md, "disks stage: LUKS".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ignition.host.command import Command

__all__ = ["CIPHER", "PROGRAMS", "generate", "set_pattern"]

PROGRAMS: Final = ("zkey", "zkey-cryptsetup")
CIPHER: Final = "paes-xts-plain64"


def generate(key_name: str, volume: str, cards: Sequence[str]) -> Command:
    """Generate a volume key in the key repository; `cards` are APQNs (`xx.xxxx`)."""
    return Command(
        (
            *("zkey", "generate", "--name", key_name, "--key-type", "CCA-AESCIPHER", "--xts"),
            *("--description", f"Secure Key for {volume} Volume", "--apqns", ",".join(cards)),
        ),
        f"generating the CEX key of LUKS volume {volume}",
    )


def set_pattern(device: str, volume: str, key_file: str) -> Command:
    """Store the verification pattern in a volume, which identifies its key for re-enciphering."""
    return Command(
        ("zkey-cryptsetup", "setvp", device, "--key-file", key_file),
        f"storing the verification pattern of LUKS volume {volume}",
    )
