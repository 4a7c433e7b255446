# SPDX-License-Identifier: Apache-2.0
"""Detection of the config fields that need the network."""

from __future__ import annotations

from typing import Any

import pytest

from ignition.config.network import needs_network
from ignition.configpath import format_path
from ignition.errors import ConfigError
from ignition.schemas.config import Config
from ignition.schemas.resource import Resource
from ignition.schemas.storage import File, Storage
from tests.config.fragments import authority, contents, file, luks, merge, replace, tang
from tests.config.test_merge import config

LUKS = "$.storage.luks.0"


@pytest.mark.parametrize(
    ("fragment", "paths"),
    [
        (merge(source="http://a"), ["$.ignition.config.merge.0.source"]),
        (replace(source="https://a"), ["$.ignition.config.replace.source"]),
        (authority(source="tftp://a/b"), ["$.ignition.security.tls.certificateAuthorities.0.source"]),
        (contents(source="s3://a/b"), ["$.storage.files.0.contents.source"]),
        (contents(source="data:,x"), []),
        (contents(source=""), []),
        (contents(), []),
        (file(append=[{"source": "data:,x"}, {"source": "gs://a/b"}]), ["$.storage.files.0.append.1.source"]),
        (luks(keyFile={"source": "arn:aws:s3:::b/k"}), [f"{LUKS}.keyFile.source"]),
        (tang(), [f"{LUKS}.clevis.tang.0.url"]),
        (tang(advertisement=""), [f"{LUKS}.clevis.tang.0.url"]),
        (tang(advertisement="{}"), []),
        (
            luks(clevis={"custom": {"pin": "tpm2", "config": "{}", "needsNetwork": True}}),
            [f"{LUKS}.clevis.custom.needsNetwork"],
        ),
        (luks(clevis={"custom": {"pin": "tpm2", "config": "{}", "needsNetwork": False}}), []),
        ({"ignition": {"proxy": {"httpProxy": "http://p"}}}, []),
    ],
)
def test_fields_that_need_network_are_found(fragment: dict[str, Any], paths: list[str]) -> None:
    fragment = {**fragment, "ignition": {"version": "3.6.0", **fragment.get("ignition", {})}}
    assert [format_path(path) for path in needs_network(config(**fragment))] == paths


def test_malformed_source_is_error_with_path_and_without_url() -> None:
    broken = Config(storage=Storage(files=(File(path="/a", contents=Resource(source="http://a b")),)))
    with pytest.raises(ConfigError) as raised:
        needs_network(broken)
    assert raised.value.path == ("storage", "files", 0, "contents", "source")
    assert "a b" not in str(raised.value)
