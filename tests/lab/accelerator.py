"""Which accelerator QEMU can really use here.

`/dev/kvm` may be there, be writable, and still not carry a guest to its kernel's first
line (nested virtualisation does that). So it is tried: a kernel without a root must come
to its panic, and so to the end of a QEMU that does not restart it, within seconds.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import run, say

if TYPE_CHECKING:
    from tests.lab.kernel import Kernel

QEMU = "qemu-system-x86_64"
_KVM = ("-accel", "kvm", "-cpu", "host")
_EMULATION = ("-accel", "tcg,thread=multi", "-cpu", "max")
_PATIENCE = 8.0
"""Seconds; hardware needs one."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""The answer holds until the host boots again."""


def accelerator(kernel: Kernel) -> tuple[str, ...]:
    """QEMU's arguments for the fastest accelerator that works; the answer is kept with the cache."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return _EMULATION
    key = cache.digest([_BOOT_ID, run(QEMU, "--version")])
    answer = cache.made("accelerator", key, lambda folder: _keep_answer(kernel, folder)) / "kvm-works"
    return _KVM if answer.exists() else _EMULATION


def _keep_answer(kernel: Kernel, folder: Path) -> None:
    if _kvm_works(kernel):
        (folder / "kvm-works").touch()
    else:
        say("/dev/kvm is there but boots nothing: guests are emulated")


def _kvm_works(kernel: Kernel) -> bool:
    command = [
        QEMU, *_KVM, "-m", "256", "-display", "none", "-monitor", "none", "-serial", "stdio", "-nodefaults",
        "-no-reboot", "-kernel", str(kernel.image), "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0 and b"Kernel panic" in ran.stdout
