"""The guests' initramfs, built by dracut: with our module, or for comparison without it.

It is rebuilt when anything that goes into it changed: the engine, its module, the Python
libraries, the kernel, or any Debian package of this machine (dracut copies its programs
from here).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import run

if TYPE_CHECKING:
    from tests.lab.kernel import Kernel

PYTHON = cache.PROJECT / ".venv" / "bin" / "python"
"""The interpreter whose libraries go into the initramfs."""

_ENGINE = ("dracut", "ignition", "providers", "schemas", "pyproject.toml")
_DRACUT = ("--compress=zstd -3 -T0",)
"""Fast to make; the benchmark compresses for size."""


def initramfs(kernel: Kernel, *, clevis: bool = False) -> Path:
    """An initramfs with this checkout's module and engine, and with Clevis or without it."""
    sources = [cache.PROJECT / part for part in _ENGINE]
    libraries = run(
        PYTHON, "-m", "pip", "--disable-pip-version-check", "freeze", "--all", "--exclude-editable"
    )
    key = cache.digest([Path(__file__), kernel.release, _host_packages(), libraries, *sources])
    name = "initramfs-clevis" if clevis else "initramfs"
    return cache.made(name, key, lambda folder: _build(kernel, folder, clevis=clevis)) / "initramfs.img"


def bare_initramfs(kernel: Kernel, modules: tuple[str, ...]) -> Path:
    """An initramfs with these dracut modules and without Ignition."""
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
    # Nothing in a virtual machine wants firmware.
    return (*_DRACUT, "--kmoddir", str(kernel.modules), "--fwdir", str(kernel.tree / "lib" / "firmware"))


def _host_packages() -> str:
    return run("dpkg-query", "--show")
