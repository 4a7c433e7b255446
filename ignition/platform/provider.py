"""Where configs come from: what a provider supplies, and all that it may use.

A provider answers one question: the bytes of the user's config, or nothing. It
knows nothing of configs. One file per platform id in `ignition.providers`, with
a `PROVIDER`; the ids are listed in `ignition.providers.PLATFORMS`.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ignition import distro, log
from ignition.errors import IgnitionError, UsageError
from ignition.host import Fetch, Run
from ignition.host.command import Command, CommandFailed

if TYPE_CHECKING:
    from ignition.resource import Fetcher, Identity

__all__ = ["Platform", "Provider", "first", "kernel_arguments", "load"]

UNMOUNT_TRIES = 3


@dataclass(frozen=True)
class Platform:
    """All that a provider may use of the machine it runs on.

    Attributes:
        run: starts programs (modprobe, mount).
        fetch: gets resources; in the fetch-offline stage it refuses the network with `NeedNetwork`.
        offline: whether this is the fetch-offline stage.
        system: where the running system is mounted; `/` except in tests.
        environment: the process's environment.
        sleep: waits that many seconds.
    """

    run: Run
    fetch: Fetch
    offline: bool = False
    system: str = "/"
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    sleep: Callable[[float], None] = time.sleep

    def path(self, path: str) -> str:
        """A path of the running system."""
        return os.path.join(self.system, path.lstrip("/")) if self.system != "/" else path

    def need_module(self, module: str, *, unless: str) -> None:
        """Load a kernel module unless the path that it brings exists."""
        if not os.path.exists(self.path(unless)):
            self.run(Command(("modprobe", module), f"loading kernel module {module}"))

    def kernel_arguments(self) -> dict[str, str]:
        """The arguments that this kernel was started with; the last of a name wins."""
        with open(self.path(distro.kernel_command_line_path()), encoding="utf-8", errors="replace") as file:
            return kernel_arguments(file.read())

    @contextmanager
    def drive(self, label: str, *, limit: float) -> Iterator[str]:
        """Mount the filesystem with this label read-only; yields the directory.

        Waits for it with a look each second, at most `limit` seconds.

        Raises:
            IgnitionError: it did not appear.
            CommandFailed: it cannot be mounted or unmounted.
        """
        import tempfile

        device = f"{distro.DISK_BY_LABEL}/{label}"
        deadline = time.monotonic() + limit
        while not os.path.exists(self.path(device)):
            if time.monotonic() >= deadline:
                raise IgnitionError(
                    f"no filesystem with the label {label} appeared in {limit:g} s",
                    hint=f"check the label with blkid; {device} has to exist",
                )
            self.sleep(1)
        with tempfile.TemporaryDirectory(prefix="ignition-config") as directory:
            why = f"mounting {device}"
            self.run(Command(("mount", "-o", "ro", "-t", "auto", device, directory), why))
            try:
                yield directory
            finally:
                self._unmount(directory)

    def _unmount(self, directory: str) -> None:
        """Unmount, trying again while something (udev's probing, mostly) still holds it."""
        for left in reversed(range(UNMOUNT_TRIES)):
            try:
                self.run(Command(("umount", directory), f"unmounting {directory}"))
            except CommandFailed:
                if not left:
                    raise
                self.sleep(1)
                if not os.path.ismount(directory):
                    return
            else:
                return


@dataclass(frozen=True)
class Provider:
    """What a platform supplies.

    Attributes:
        name: the platform id, as `--platform` takes it.
        summary: where its config comes from, in one line, for the documentation.
        fetch: returns the config's bytes; none at all mean that no config was given.
            Raises `NoProvider` if this source has nothing to say, `NeedNetwork` if
            it cannot answer offline.
        delete: removes the config from where the platform keeps it, so that nobody
            finds it in the running machine; None where the platform cannot do that.
        identity: makes what resources are asked for with (`ignition.platform.metadata`), given what
            asks for it when it is needed; None where everything is asked for as anybody.
    """

    name: str
    summary: str
    fetch: Callable[[Platform], bytes]
    delete: Callable[[Platform], None] | None = None
    identity: Callable[[Fetcher], Identity] | None = None

    def fetcher(self, *, offline: bool = False) -> Fetcher:
        """What gets resources on this platform."""
        from ignition.resource import Fetcher

        fetcher = Fetcher(offline=offline)
        return fetcher.with_identity(self.identity(Fetcher())) if self.identity else fetcher


def load(name: str) -> Provider:
    """The provider of a platform; only its module is imported.

    Raises:
        UsageError: there is no such platform.
    """
    known: tuple[str, ...] = importlib.import_module("ignition.providers").PLATFORMS
    if name not in known:
        raise UsageError(
            f'unknown platform "{name}"; this engine knows {", ".join(known)}',
            hint="the kernel argument ignition.platform.id=… names the platform",
        )
    provider: Provider = importlib.import_module(f"ignition.providers.{name}").PROVIDER
    return provider


def first() -> tuple[Provider, ...]:
    """The sources that come before the platform, in their order."""
    names: tuple[str, ...] = importlib.import_module("ignition.providers").FIRST
    return tuple(importlib.import_module(f"ignition.providers.{name}").PROVIDER for name in names)


def kernel_arguments(line: str) -> dict[str, str]:
    """`key=value` words of a kernel command line; the last of a name wins.

    Words are split at white space, quotes mean nothing, and empty values are
    passed over (engine.md section 4.2).
    """
    arguments: dict[str, str] = {}
    for word in line.split():
        key, _, value = word.partition("=")
        if value:
            arguments[key] = value
        elif key.startswith("ignition.config."):
            log.info(f"kernel argument {key} has no value and is ignored")
    return arguments
