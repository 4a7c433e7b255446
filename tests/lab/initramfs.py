# SPDX-License-Identifier: Apache-2.0
"""Build the guests' initramfs with dracut: with the ignition module, or without it for comparison.

The initramfs is rebuilt if one of its inputs has changed: the engine, the dracut module, the Python
libraries, the kernel, or a Debian package of this machine, from which dracut copies programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import run

if TYPE_CHECKING:
    from tests.lab.kernel import Kernel

PYTHON = cache.PROJECT / ".venv" / "bin" / "python"
"""Interpreter whose libraries are packed into the initramfs."""

_ENGINE = ("dracut", "ignition", "providers", "schemas", "pyproject.toml")
_DRACUT = ("--compress=zstd -3 -T0",)
"""Fast compression; the benchmark measures sizes with zstd -19."""


def initramfs(kernel: Kernel, *, clevis: bool = False) -> Path:
    """Return an initramfs with the module and engine of this checkout, with or without Clevis."""
    sources = [cache.PROJECT / part for part in _ENGINE]
    libraries = run(
        PYTHON, "-m", "pip", "--disable-pip-version-check", "freeze", "--all", "--exclude-editable"
    )
    key = cache.digest([Path(__file__), kernel.release, _host_packages(), libraries, *sources])
    name = "initramfs-clevis" if clevis else "initramfs"
    return cache.made(name, key, lambda folder: _build(kernel, folder, clevis=clevis)) / "initramfs.img"


def bare_initramfs(kernel: Kernel, modules: tuple[str, ...]) -> Path:
    """Return an initramfs with these dracut modules and without Ignition."""
    key = cache.digest([Path(__file__), kernel.release, _host_packages(), *modules])
    return cache.made("bare", key, lambda folder: _build_bare(kernel, modules, folder)) / "initramfs.img"


def _build(kernel: Kernel, folder: Path, *, clevis: bool) -> None:
    run(
        cache.PROJECT / "dracut" / "build.sh",
        folder / "initramfs.img",
        kernel.release,
        *_arguments(kernel),
        environment={
            "IGNITION_PYTHON": str(PYTHON),
            "IGNITION_KARGS_HELPER": "auto",
            "IGNITION_CLEVIS": "yes" if clevis else "no",
        },
    )


def _build_bare(kernel: Kernel, modules: tuple[str, ...], folder: Path) -> None:
    names = " ".join(modules)
    run(
        "dracut", "--force", "--no-hostonly", "--omit", "ignition", "--add", names,
        *_arguments(kernel), folder / "initramfs.img", kernel.release,
    )  # fmt: skip


def _arguments(kernel: Kernel) -> tuple[str, ...]:
    # A virtual machine needs no firmware files.
    return (*_DRACUT, "--kmoddir", str(kernel.modules), "--fwdir", str(kernel.tree / "lib" / "firmware"))


def _host_packages() -> str:
    return run("dpkg-query", "--show")
