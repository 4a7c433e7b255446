# SPDX-License-Identifier: Apache-2.0
"""Find the accelerator that works for QEMU on this machine.

With nested virtualisation, `/dev/kvm` can be writable although no guest boots. Therefore a test boots a
kernel without a root filesystem: the kernel must panic, and thereby end QEMU, within seconds.
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
_TIMEOUT = 8.0
"""Time limit in seconds; with KVM the test takes one second."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""The result is valid until the host reboots."""


def accelerator(kernel: Kernel) -> tuple[str, ...]:
    """Return QEMU's arguments for the fastest accelerator that works; the result is cached."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return _EMULATION
    key = cache.digest([_BOOT_ID, run(QEMU, "--version")])
    answer = cache.made("accelerator", key, lambda folder: _keep_answer(kernel, folder)) / "kvm-works"
    return _KVM if answer.exists() else _EMULATION


def _keep_answer(kernel: Kernel, folder: Path) -> None:
    if _kvm_works(kernel):
        (folder / "kvm-works").touch()
    else:
        say("/dev/kvm exists, but a test kernel does not boot with it; using emulation")


def _kvm_works(kernel: Kernel) -> bool:
    command = [
        QEMU, *_KVM, "-m", "256", "-display", "none", "-monitor", "none", "-serial", "stdio", "-nodefaults",
        "-no-reboot", "-kernel", str(kernel.image), "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0 and b"Kernel panic" in ran.stdout
