# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a target root."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.root import Root


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The directory of the target root, beside a directory `outside`."""
    directory = tmp_path / "root"
    directory.mkdir()
    (tmp_path / "outside").mkdir()
    return directory


@pytest.fixture
def root(top: Path) -> Root:
    return Root(str(top))
