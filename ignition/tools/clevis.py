"""clevis: lets servers and chips unlock encrypted volumes.

Source: clevis(1), clevis-luks-bind(1), clevis-luks-unlock(1), engine.md 9.3.3.

What a pin is configured with may hold passwords, and clevis takes it as an argument only: it is hidden
wherever it would be shown. clevis is made of shell scripts, which in an initramfs show all that they
handle, keys too, when the kernel's command line has `rd.debug`; so that is turned off for them. Without the
plainest of all locales each of them would complain that an initramfs has no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ignition import distro
from ignition.host.command import Command, Secret

__all__ = ["PROGRAM", "bind", "encrypt", "hint_for", "unlock", "unlock_slot"]

PROGRAM: Final = "clevis"
SURROUNDINGS: Final = (("LC_ALL", "C"), ("RD_DEBUG", "no"), ("TMPDIR", "/run"))
"""The second keeps dracut's shell library, which clevis loads, from tracing; `/run` is in memory anywhere."""

SAMPLE: Final = b"a text of no value"

HINTS: Final[Mapping[str, str]] = {
    "did not sign the advertisement": "correct the thumbprint; `tang-show-keys` on the server prints it",
    "Unable to fetch advertisement": "check the server's URL and thumbprint, and that it can be reached",
    "Error communicating with server": "check that the Tang server can be reached",
    "kernel resource manager is needed": "the machine has no TPM 2, or the kernel no module for it",
    "Unable to validate combination of PCR": "the TPM has no such PCR bank; `tpm2_pcrread` lists its own",
}
"""What clevis says → what to try."""


def encrypt(pin: str, config: str, *, why: str) -> Command:
    """Encrypt a text of no value: what keeps a pin from being used is known before anything is at stake."""
    return Command(("clevis", "encrypt", pin, Secret(config)), why, stdin=SAMPLE, environment=SURROUNDINGS)


def bind(device: str, pin: str, config: str, key_file: str, *, name: str) -> Command:
    """Give a volume a further key that the pin knows; `key_file` has one that opens it."""
    return Command(
        ("clevis", "luks", "bind", "-f", "-k", key_file, "-d", device, pin, Secret(config)),
        f"binding the encrypted volume {name} to the Clevis pin {pin}",
        environment=SURROUNDINGS,
    )


def unlock_slot(device: str, slot: int, *, name: str) -> Command:
    """Try to unlock a key slot, without opening anything."""
    return Command(
        ("clevis", "luks", "unlock", "-d", device, "-t", str(slot)),
        f"trying whether Clevis unlocks the encrypted volume {name}",
        environment=SURROUNDINGS,
    )


def unlock(device: str, name: str) -> Command:
    """Open a volume with what it is bound to."""
    return Command(
        ("clevis", "luks", "unlock", "-d", device, "-n", name),
        f"opening the encrypted volume {name} with Clevis",
        environment=SURROUNDINGS,
    )


def hint_for(stderr: str) -> str:
    """What to try, or "" if what clevis says tells it already."""
    if missing := re.search(r"(\S+): command not found", stderr):
        return _comes_with(missing[1])
    if pin := re.search(r"'(\S+)' is not a valid pin", stderr):
        return _comes_with(f"clevis-encrypt-{pin[1]}")
    return next((hint for text, hint in HINTS.items() if text in stderr), "")


def _comes_with(program: str) -> str:
    package = distro.PACKAGES.get(program)
    where = f"; it comes with the package {package}" if package else ""
    return f"the program {program} is not here{where}"
