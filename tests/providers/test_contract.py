# SPDX-License-Identifier: Apache-2.0
"""Requirements that every provider meets."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from ignition import providers
from ignition.errors import UsageError
from ignition.platform import provider as platform

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", providers.PLATFORMS)
def test_provider_file_name_is_platform_id(name: str) -> None:
    provider = platform.load(name)
    assert provider.name == name
    assert provider.summary


@pytest.mark.parametrize("name", providers.FIRST)
def test_first_sources_are_no_platforms(name: str) -> None:
    assert importlib.import_module(f"ignition.providers.{name}").PROVIDER.name == name
    with pytest.raises(UsageError):
        platform.load(name)


def test_every_provider_file_is_listed() -> None:
    files = {path.stem for path in (ROOT / "providers").glob("[a-z]*.py")}
    assert files == {*providers.PLATFORMS, *providers.FIRST}


@pytest.mark.parametrize("name", ["", "nope", "../file", "QEMU"])
def test_unknown_platform_error_lists_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"expected one of .*qemu") as caught:
        platform.load(name)
    assert "ignition.platform.id" in caught.value.hint
