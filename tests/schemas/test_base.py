# SPDX-License-Identifier: Apache-2.0
"""Nodes: JSON names, equality, immutability, and `repr` without secrets."""

from __future__ import annotations

import pytest

from ignition.schemas.base import json_name
from ignition.schemas.config import Config
from ignition.schemas.passwd import PasswdUser
from ignition.schemas.resource import HttpHeader, Resource
from ignition.schemas.storage import File, Owner, Storage
from ignition.schemas.systemd import Dropin, Unit


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("size_mib", "sizeMiB"),
        ("start_mib", "startMiB"),
        ("type_guid", "typeGuid"),
        ("guid", "guid"),
        ("http_headers", "httpHeaders"),
        ("https_proxy", "httpsProxy"),
        ("http_response_headers", "httpResponseHeaders"),
        ("ssh_authorized_keys", "sshAuthorizedKeys"),
        ("home_dir", "homeDir"),
        ("no_log_init", "noLogInit"),
        ("wipe_partition_entry", "wipePartitionEntry"),
        ("certificate_authorities", "certificateAuthorities"),
        ("kernel_arguments", "kernelArguments"),
        ("tpm2", "tpm2"),
    ],
)
def test_json_name_of_attribute(attribute: str, name: str) -> None:
    assert json_name(attribute) == name


def test_nodes_compare_by_value() -> None:
    one, other = File.of({"path": "/a", "mode": None}), File.of({"path": "/a"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != File.of({"path": "/b"})
    assert one != Owner.of({})
    assert one.given != other.given


def test_nodes_are_frozen() -> None:
    file = File.of({"path": "/a"})
    with pytest.raises(AttributeError):
        file.path = "/b"  # type: ignore[misc]
    assert file.evolve(mode=5) == File.of({"path": "/a", "mode": 5})
    assert file.mode is None


def test_attribute_not_given_has_its_default() -> None:
    config = Config.empty()
    assert config.storage.files == ()
    assert config.ignition.config.replace.source is None
    assert config is Config.empty()


def test_repr_hides_secrets() -> None:
    secret = "geheim"
    config = Storage.of({"files": (File.of({"path": "/a", "contents": Resource.of({"source": secret})}),)})
    for node in (
        config,
        HttpHeader.of({"name": "A", "value": secret}),
        PasswdUser.of({"name": "u", "password_hash": secret}),
        Unit.of({"name": "u.service", "contents": secret}),
        Dropin.of({"name": "d.conf", "contents": secret}),
    ):
        assert secret not in f"{node} {node!r}"
        assert "***" in repr(node)
    assert repr(config) == "Storage(files=(File(path='/a', contents=Resource(source='***')),))"
