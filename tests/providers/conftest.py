# SPDX-License-Identifier: Apache-2.0
"""A platform on a temporary directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ignition.platform.provider import ProviderContext
from tests.host.fakes import FakeFetch, FakeRun


@dataclass
class Machine:
    """A machine for a provider: files below `system`, fake programs and resources."""

    system: Path
    run: FakeRun = field(default_factory=FakeRun)
    fetch: FakeFetch = field(default_factory=FakeFetch)
    environment: dict[str, str] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)

    def write(self, path: str, content: bytes | str) -> Path:
        place = self.system / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return place

    @property
    def platform(self) -> ProviderContext:
        return ProviderContext(
            run=self.run,
            fetch=self.fetch,
            system=str(self.system),
            environment=self.environment,
            sleep=self.slept.append,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "system")
    machine.write("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1\n")
    return machine
