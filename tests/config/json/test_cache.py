# SPDX-License-Identifier: Apache-2.0
"""The config cache."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from ignition.config.json.cache import dump, load
from ignition.config.parse import check, parse
from ignition.errors import StateError
from ignition.schemas.config import Config
from tests.config.configs import configs


@given(configs())
@settings(deadline=None, max_examples=60)
def test_load_returns_dumped_config(config: Config) -> None:
    assert load(dump(config)) == config


@given(configs())
@settings(deadline=None, max_examples=60)
def test_dumped_config_can_be_parsed(config: Config) -> None:
    assert check(dump(config)).config == config


def test_dump_has_format_of_reference() -> None:
    config = parse(b'{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"/a","mode":420}]}}').config
    assert dump(config) == (
        b'{"ignition":{"config":{"replace":{"verification":{}}},"proxy":{},"security":{"tls":{}},'
        b'"timeouts":{},"version":"3.7.0-experimental"},"kernelArguments":{},"passwd":{},'
        b'"storage":{"files":[{"group":{},"path":"/a","user":{},"contents":{"verification":{}},"mode":420}]},'
        b'"systemd":{}}'
    )


def test_dump_of_empty_config_has_version() -> None:
    assert json.loads(dump(Config.empty()))["ignition"]["version"] == "3.7.0-experimental"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"nothing":1}',
        b'{"ignition":{"version":"3.0.0"}}',
        b'{"ignition":{"version":"3.7.0-experimental"},"storage":{"files":[5]}}',
        b"\xff",
    ],
)
def test_load_of_other_data_fails(data: bytes) -> None:
    with pytest.raises(StateError):
        load(data)
