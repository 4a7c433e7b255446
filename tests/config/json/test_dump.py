# SPDX-License-Identifier: Apache-2.0
"""Configs written as JSON, in each version of the spec."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ignition.config.json.dump import dump
from ignition.config.parse import parse
from ignition.errors import ConfigError
from ignition.schemas.config import Config
from ignition.schemas.disks import Disk, Partition
from ignition.schemas.spec import LATEST, Spec, SpecVersion
from ignition.schemas.storage import Storage
from tests.corpus import GOOD

VERSIONS = [spec.version for spec in Spec]


def document(version: str, sections: str) -> Config:
    return parse(f'{{"ignition": {{"version": "{version}"}}, {sections}}}'.encode()).config


@pytest.mark.parametrize("name", GOOD)
def test_parse_returns_dumped_config(name: str) -> None:
    parsed = parse(GOOD[name])
    assert parse(dump(parsed.config)).config == parsed.config
    again = parse(dump(parsed.config, version=parsed.spec.version, indent=2))
    assert (again.config, again.spec) == (parsed.config, parsed.spec)
    assert not again.report


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", GOOD)
def test_dump_in_other_version_is_equal_or_refused(name: str, version: SpecVersion) -> None:
    config = parse(GOOD[name]).config
    try:
        written = dump(config, version=version)
    except ConfigError:
        return  # why is the business of the tests below
    assert parse(written).config == config


def test_dump_is_canonical() -> None:
    one = document(
        "3.0.0", '"storage": {"files": [], "links": null}, "passwd": {"users": [{"uid": 1, "name": "ü"}]}'
    )
    other = document("3.4.0", '"passwd": {"users": [{"name": "\\u00fc", "uid": 1, "groups": []}]}')
    text = '{"ignition":{"version":"3.4.0"},"passwd":{"users":[{"name":"ü","uid":1}]}}'.encode()
    assert dump(one, version="3.4.0") == dump(other, version="3.4.0") == text


def test_dump_keeps_empty_strings_and_zeros() -> None:
    config = document(
        "3.4.0", '"storage": {"files": [{"path": "/a", "mode": 0, "contents": {"source": ""}}]}'
    )
    members = json.loads(dump(config))
    assert members["storage"]["files"] == [{"path": "/a", "mode": 0, "contents": {"source": ""}}]


def test_dump_of_constructed_config_equals_parsed_config() -> None:
    disk = Disk(device="/dev/vdb", partitions=(Partition(label="data", number=0, size_mib=512),))
    written = json.loads(dump(Config(storage=Storage(disks=(disk,))), version="3.0.0"))
    assert written["storage"] == {
        "disks": [{"device": "/dev/vdb", "partitions": [{"label": "data", "sizeMiB": 512}]}]
    }


HASH = "sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Section = dict[str, Any]


def luks(**fields: Any) -> Section:
    return {"storage": {"luks": [{"name": "a", "device": "/dev/a", **fields}]}}


def file(**fields: Any) -> Section:
    return {"storage": {"files": [{"path": "/a", **fields}]}}


def filesystem(**fields: Any) -> Section:
    return {"storage": {"filesystems": [{"device": "/a", "path": "/b", **fields}]}}


@pytest.mark.parametrize(
    ("sections", "version", "obstacles", "needed"),
    [
        (luks(), "3.1.0", {"$.storage.luks"}, "3.2.0"),
        (
            luks(discard=True, openOptions=["-v"]),
            "3.3.0",
            {"$.storage.luks.0.discard", "$.storage.luks.0.openOptions"},
            "3.4.0",
        ),
        (
            luks(clevis={"custom": {"pin": "new", "config": "{}"}}),
            "3.5.0",
            {"$.storage.luks.0.clevis.custom.pin"},
            "3.6.0",
        ),
        (
            filesystem(format="none", mountOptions=["ro"]),
            "3.0.0",
            {"$.storage.filesystems.0.format", "$.storage.filesystems.0.mountOptions"},
            "3.3.0",
        ),
        (
            filesystem(format="virtiofs", device="tag"),
            "3.6.0",
            {"$.storage.filesystems.0.format", "$.storage.filesystems.0.device"},
            "3.7.0-experimental",
        ),
        (file(mode=2541), "3.5.0", {"$.storage.files.0.mode"}, "3.6.0"),
        (file(contents={"source": "gs://a/b"}), "3.1.0", {"$.storage.files.0.contents.source"}, "3.2.0"),
        (
            file(contents={"source": "http://a", "verification": {"hash": HASH}}),
            "3.0.0",
            {"$.storage.files.0.contents.verification.hash"},
            "3.1.0",
        ),
        ({"kernelArguments": {"shouldExist": ["quiet"]}}, "3.2.0", {"$.kernelArguments"}, "3.3.0"),
    ],
)
def test_refusal_lists_each_field_and_value(
    sections: Section, version: SpecVersion, obstacles: set[str], needed: SpecVersion
) -> None:
    config = parse(json.dumps({"ignition": {"version": LATEST.version}} | sections).encode()).config
    with pytest.raises(ConfigError, match="cannot write the config as spec") as refused:
        dump(config, version=version)
    named = {str(entry).split()[2].rstrip(":") for entry in refused.value.report}
    assert named == obstacles
    assert all(path in str(refused.value) for path in obstacles)
    assert refused.value.hint == f"use spec {needed} or later"
    assert parse(dump(config, version=needed)).config == config


def test_compression_of_reference_needs_spec_3_1() -> None:
    merged = '{"source": "http://a", "compression": "gzip"}'
    data = f'{{"ignition": {{"version": "3.1.0", "config": {{"merge": [{merged}]}}}}}}'
    with pytest.raises(ConfigError) as refused:
        dump(parse(data.encode()).config, version="3.0.0")
    (entry,) = refused.value.report
    assert entry.path == ("ignition", "config", "merge", 0, "compression")
    assert entry.code == "newer-field"


def test_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown spec version 3\.8\.0, expected one of 3\.0\.0"):
        dump(Config(), version="3.8.0")  # type: ignore[arg-type]
