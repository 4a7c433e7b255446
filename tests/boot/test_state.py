# SPDX-License-Identifier: Apache-2.0
"""The record that a stage leaves for later ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ignition.boot import state
from ignition.boot.state import KEY_REMOVED, FetchedConfig, State
from ignition.errors import StateError

FULL = State(
    fetched=(FetchedConfig("base", "system", False), FetchedConfig("user", "/a.ign", True)),
    directories=("/var/lib",),
    luks_keys={"data": "data:;base64,c2VjcmV0"},
    luks_volume_keys={"k.skey": "data:;base64,eA=="},
)


def test_state_round_trips(tmp_path: Path) -> None:
    path = str(tmp_path / "run" / "state")
    state.write(path, FULL)
    assert state.read(path) == FULL


def test_state_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "run" / "state"
    state.write(str(path), FULL)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_state_file_has_the_shape_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state.write(str(path), State())
    assert path.read_text().endswith("}\n")
    assert json.loads(path.read_text()) == {
        "fetchedConfigs": None,
        "luksPersistKeyFiles": None,
        "notatedDirectories": None,
        "providerOutputFiles": None,
        "luksPersistVolumeKeyFiles": None,
    }


def test_missing_state_file_is_empty_state(tmp_path: Path) -> None:
    assert state.read(str(tmp_path / "none")) == State()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"fetchedConfigs": [{}]}', '{"notatedDirectories": 5}'])
def test_malformed_state_file_raises_state_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state"
    path.write_text(content)
    with pytest.raises(StateError) as caught:
        state.read(str(path))
    assert caught.value.exit_code == 3


def test_state_merge_keeps_each_value_once() -> None:
    assert FULL + State() == FULL
    assert State() + FULL == FULL
    assert FULL + FULL == FULL
    assert (State(directories=("/a",)) + State(directories=("/b", "/a"))).directories == ("/a", "/b")


def test_state_hides_keys_and_can_clear_them() -> None:
    assert "c2VjcmV0" not in repr(FULL)
    assert FULL.without_keys().luks_keys == {}
    assert FULL.without_keys().luks_volume_keys == {}
    assert FULL.without_keys().fetched == FULL.fetched


def test_luks_key_is_decoded() -> None:
    assert FULL.luks_key("data") == b"secret"
    assert FULL.luks_key("other") is None


def test_removed_key_is_none_and_persists() -> None:
    state = FULL + State(luks_keys={"data": KEY_REMOVED})
    assert state.luks_key("data") is None
    assert "data" in state.luks_keys


def test_cex_key_file_is_decoded() -> None:
    state = State(luks_volume_keys={"v.skey": "data:;base64,AAE="})
    assert state.luks_volume_key("v.skey") == b"\0\1"
    assert state.luks_volume_key("w.skey") is None
    with pytest.raises(StateError, match=r'cannot decode the CEX key file "v\.skey"'):
        State(luks_volume_keys={"v.skey": "secret"}).luks_volume_key("v.skey")


def test_malformed_key_error_shows_no_contents() -> None:
    with pytest.raises(StateError) as caught:
        State(luks_keys={"data": "secret"}).luks_key("data")
    assert "secret" not in str(caught.value)
