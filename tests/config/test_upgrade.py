# SPDX-License-Identifier: Apache-2.0
"""Upgrades; docs/reference/config-language.md, "Translation between versions"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ignition.config.parse import parse
from ignition.config.validate import check_config, check_merged
from ignition.errors import ConfigError
from ignition.schemas.config import Config
from ignition.schemas.spec import LATEST, Spec
from tests.config.fragments import authority, clevis, link, luks, raid, replace, tang
from tests.config.shorthand import text

ADVERTISEMENT = json.dumps({"payload": "x"})


def upgraded(fragment: dict[str, Any], spec: Spec) -> Config:
    return parse(text(fragment, spec)).config


@pytest.mark.parametrize("spec", list(Spec))
@pytest.mark.parametrize("kind", ["files", "directories"])
def test_special_bits_have_no_effect_before_3_6_0(kind: str, spec: Spec) -> None:
    nodes = [{"path": "/a", "mode": 0o7755}, {"path": "/b", "mode": 0o644}, {"path": "/c"}]
    storage = upgraded({"storage": {kind: nodes}}, spec).storage
    kept = 0o7755 if spec >= Spec.V3_6 else 0o755
    assert [node.mode for node in getattr(storage, kind)] == [kept, 0o644, None]


@pytest.mark.parametrize("spec", [spec for spec in Spec if spec >= Spec.V3_4])
def test_upgrade_keeps_tang_advertisement(spec: Spec) -> None:
    """A deliberate difference: the reference drops it when it translates 3.4.0 to 3.5.0."""
    (volume,) = upgraded(tang(advertisement=ADVERTISEMENT), spec).storage.luks
    assert volume.clevis.tang[0].advertisement == ADVERTISEMENT


@pytest.mark.parametrize("spec", [Spec.V3_0, Spec.V3_1, Spec.V3_2])
def test_absent_strings_of_old_versions_become_empty_strings(spec: Spec) -> None:
    assert upgraded(link(target=None), spec).storage.links[0].target == ""
    config = parse(b'{"ignition":{"version":"3.2.0"},"storage":{"luks":[{"name":"l","device":"/d"}]}}').config
    assert config.storage.luks[0].clevis.custom.pin is None
    (volume,) = upgraded(clevis(custom={}), Spec.V3_2).storage.luks
    assert (volume.clevis.custom.pin, volume.clevis.custom.config) == ("", "")


def test_fields_of_later_versions_have_no_effect() -> None:
    fragment = {**luks(), **raid(), "kernelArguments": {"shouldExist": ["a"]}}
    config = upgraded(fragment, Spec.V3_0)
    assert config.kernel_arguments.should_exist == ()
    gzipped = upgraded(authority(source="data:,x", compression="gzip"), Spec.V3_0)
    (bundle,) = gzipped.ignition.security.tls.certificate_authorities
    assert bundle.compression is None


@pytest.mark.parametrize(
    ("fragment", "spec", "codes"),
    [
        (link(target=None), Spec.V3_2, ["link-target-missing"]),
        ({"ignition": {"config": {"merge": [{}]}}}, Spec.V3_0, ["source-missing"]),
        (replace(verification={"hash": "sha512-" + "a" * 128}), Spec.V3_0, ["hash-without-source"]),
        (
            clevis(custom={"needsNetwork": True}),
            Spec.V3_2,
            ["clevis-pin-missing", "clevis-config-missing"],
        ),
    ],
)
def test_config_valid_in_old_version_can_fail_after_merging(
    fragment: dict[str, Any], spec: Spec, codes: list[str]
) -> None:
    config = upgraded(fragment, spec)
    assert [entry.code for entry in check_config(config, LATEST)] == codes
    with pytest.raises(ConfigError, match="merging") as raised:
        check_merged(config)
    assert [entry.code for entry in raised.value.report] == codes
    assert all(entry.position is None for entry in raised.value.report)


def test_merged_config_keeps_warnings() -> None:
    report = check_merged(upgraded(link(hard=True, user={"id": 0}), Spec.V3_6))
    assert [entry.code for entry in report] == ["hard-link-owner"]
