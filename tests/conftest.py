# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests: guards against real programs and the network, and doubles.

- `programs`: fake programs on PATH that record their calls (`lab/programs.py`);
- `server`: an HTTP server on loopback that fails on request (`lab/server.py`).

The markers `real_commands` and `real_network` lift the guards for a test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ignition import log
from tests.lab.guards import Permit, guarded
from tests.lab.logged import Log
from tests.lab.programs import Programs
from tests.lab.server import HttpServer

# No deadline for an example, since machines differ. In CI each run has the same examples; elsewhere they are
# random.
settings.register_profile("untimed", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def guards(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Refuse real programs and sockets outside loopback, unless the test has a marker."""
    with guarded(_permit(request.node, tmp_path_factory.getbasetemp())):
        yield


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Reset the sink of the engine's log after each test."""
    yield
    log.unset()


def _permit(test: pytest.Item, own: Path) -> Permit:
    if test.get_closest_marker("boot"):
        return Permit(own, programs=None, network=False)
    named: set[str] = set()
    programs: frozenset[str] | None = frozenset()
    for marker in test.iter_markers("real_commands"):
        if not marker.args:
            programs = None
        named.update(marker.args)
    return Permit(
        own,
        programs=None if programs is None else frozenset(named),
        network=test.get_closest_marker("real_network") is not None,
    )


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Fake programs, first on PATH."""
    fakes = Programs(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{fakes.directory}{os.pathsep}{os.environ['PATH']}")
    return fakes


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """An HTTP server on loopback."""
    with HttpServer() as running:
        yield running


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Log:
    kept = Log()
    for level in ("debug", "info", "notice", "warning", "error", "critical"):
        monkeypatch.setattr(log, level, lambda text, level=level: kept.lines.append((level, text)))
    return kept
