# SPDX-License-Identifier: Apache-2.0
"""clevis: bind LUKS volumes to Tang servers and TPMs, and unlock them.

Source: clevis(1), clevis-luks-bind(1), clevis-luks-unlock(1), and docs/reference/stages.md,
"disks stage: LUKS".

The config of a pin may contain passwords, and clevis takes it only as an argument: it is hidden in all
output. clevis consists of shell scripts. With `rd.debug` on the kernel command line, dracut's shell library
would trace them, keys included, so tracing is disabled for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ignition import distro
from ignition.host.command import Command, Secret

__all__ = ["PROGRAM", "bind", "encrypt", "hint_for", "unlock", "unlock_slot"]

PROGRAM: Final = "clevis"
ENVIRONMENT: Final = (("LC_ALL", "C"), ("RD_DEBUG", "no"), ("TMPDIR", "/run"))
"""The C locale, the only one of an initramfs; no tracing; and a temporary directory in memory."""

SAMPLE: Final = b"sample"

HINTS: Final[Mapping[str, str]] = {
    "did not sign the advertisement": "correct the thumbprint; `tang-show-keys` on the server prints it",
    "Unable to fetch advertisement": "correct the server's URL and thumbprint, or make the server reachable",
    "Error communicating with server": "make the Tang server reachable",
    "kernel resource manager is needed": "add a TPM 2 to the machine, or its kernel module to the initramfs",
    "Unable to validate combination of PCR": "use a PCR bank that `tpm2_pcrread` lists",
}
"""Part of clevis's error message → hint."""


def encrypt(pin: str, config: str, *, why: str) -> Command:
    """Encrypt a sample, to find faults of a pin before anything is written."""
    return Command(("clevis", "encrypt", pin, Secret(config)), why, stdin=SAMPLE, environment=ENVIRONMENT)


def bind(device: str, pin: str, config: str, key_file: str, *, name: str) -> Command:
    """Add a key that the pin unlocks to a volume; `key_file` contains an existing key."""
    return Command(
        ("clevis", "luks", "bind", "-f", "-k", key_file, "-d", device, pin, Secret(config)),
        f"binding LUKS volume {name} to the Clevis pin {pin}",
        environment=ENVIRONMENT,
    )


def unlock_slot(device: str, slot: int, *, name: str) -> Command:
    """Test that a key slot can be unlocked, without opening the volume."""
    return Command(
        ("clevis", "luks", "unlock", "-d", device, "-t", str(slot)),
        f"testing that Clevis unlocks LUKS volume {name}",
        environment=ENVIRONMENT,
    )


def unlock(device: str, name: str) -> Command:
    """Open a volume with its bindings."""
    return Command(
        ("clevis", "luks", "unlock", "-d", device, "-n", name),
        f"opening LUKS volume {name} with Clevis",
        environment=ENVIRONMENT,
    )


def hint_for(stderr: str) -> str:
    """Return a hint for an error message of clevis, or ""."""
    if missing := re.search(r"(\S+): command not found", stderr):
        return _add_program(missing[1])
    if pin := re.search(r"'(\S+)' is not a valid pin", stderr):
        return _add_program(f"clevis-encrypt-{pin[1]}")
    return next((hint for text, hint in HINTS.items() if text in stderr), "")


def _add_program(program: str) -> str:
    package = distro.PACKAGES.get(program)
    where = f" (package {package})" if package else ""
    return f'add the program "{program}"{where} to the initramfs'
