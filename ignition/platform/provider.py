# SPDX-License-Identifier: Apache-2.0
"""What a provider is, and everything that it may use.

A provider returns the bytes of the user's config, or nothing; it knows nothing of the config language. Each
platform id is one file in `ignition.providers` with a `PROVIDER`; `PLATFORMS` in that package lists the ids.
Contract: docs/reference/platforms.md, "Provider contract".
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ignition import distro, log
from ignition.errors import UsageError
from ignition.host import Fetch, Run
from ignition.host.command import Command
from ignition.host.source import Source
from ignition.host.system_path import under

if TYPE_CHECKING:
    from ignition.platform.config_drive import Drive
    from ignition.resource import Fetcher
    from ignition.resource.credentials import Credentials

__all__ = ["Provider", "ProviderContext", "Source", "load", "load_first"]


@dataclass(frozen=True)
class ProviderContext:
    """Everything of the machine that a provider may use.

    Attributes:
        run: starts programs (modprobe, mount).
        fetch: gets resources; in the fetch-offline stage it raises `NeedNetwork` for network sources.
        offline: whether this is the fetch-offline stage.
        system: where the running system is mounted; `/` except in tests.
        environment: the process's environment.
        sleep: waits the given number of seconds.
    """

    run: Run
    fetch: Fetch
    offline: bool = False
    system: str = "/"
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    sleep: Callable[[float], None] = time.sleep

    def path(self, path: str) -> str:
        """Return a path of the running system."""
        return under(self.system, path)

    def need_module(self, module: str, *, unless: str) -> None:
        """Load a kernel module unless the path that it provides exists."""
        if not os.path.exists(self.path(unless)):
            self.run(Command(("modprobe", module), f"loading kernel module {module}"))

    def kernel_arguments(self) -> dict[str, str]:
        """Return the `key=value` kernel arguments with a value; the last one of a key wins."""
        from ignition.tools import cmdline

        with open(self.path(distro.kernel_command_line_path()), encoding="utf-8", errors="replace") as file:
            found = cmdline.values(file.read())
        for key, value in found.items():
            if not value and key.startswith("ignition.config."):
                log.info(f"ignoring the kernel argument {key}: it has no value")
        return {key: value for key, value in found.items() if value}

    def drive(self, label: str, *, limit: float) -> AbstractContextManager[Drive]:
        """Mount the filesystem with this label read-only; waits at most `limit` seconds for it.

        Raises:
            IgnitionError: the filesystem did not appear.
            CommandFailed: it cannot be mounted or unmounted.
        """
        from ignition.platform.config_drive import mounted

        return mounted(self, label, limit=limit)


@dataclass(frozen=True)
class Provider:
    """A platform.

    Attributes:
        name: the platform id, as `--platform` takes it.
        summary: where its config comes from, in one line.
        fetch: returns the config's bytes; zero bytes mean that no config was given.
            Raises `NoProvider` if this source has no config, `NeedNetwork` if it needs the network.
        delete: removes the config from the platform, so that the running system cannot read it;
            None where the platform cannot do that.
        credentials: returns the machine's credentials (`ignition.platform.credentials`), given a
            fetcher for its metadata service; None where the platform has none.
    """

    name: str
    summary: str
    fetch: Callable[[ProviderContext], bytes]
    delete: Callable[[ProviderContext], None] | None = None
    credentials: Callable[[Fetcher], Credentials] | None = None

    def fetcher(self, *, offline: bool = False) -> Fetcher:
        """Return the fetcher for resources on this platform."""
        from ignition.resource import Fetcher

        fetcher = Fetcher(offline=offline)
        return fetcher.with_credentials(self.credentials(Fetcher())) if self.credentials else fetcher


def load(name: str) -> Provider:
    """Return the provider of a platform; imports only its module.

    Raises:
        UsageError: the platform is unknown.
    """
    known: tuple[str, ...] = importlib.import_module("ignition.providers").PLATFORMS
    if name not in known:
        raise UsageError(
            f'unknown platform "{name}", expected one of {", ".join(known)}',
            hint="set the kernel argument ignition.platform.id to one of them",
        )
    provider: Provider = importlib.import_module(f"ignition.providers.{name}").PROVIDER
    return provider


def load_first() -> tuple[Provider, ...]:
    """Return the sources that are asked before the platform, in order."""
    names: tuple[str, ...] = importlib.import_module("ignition.providers").FIRST
    return tuple(importlib.import_module(f"ignition.providers.{name}").PROVIDER for name in names)
