# SPDX-License-Identifier: Apache-2.0
"""Every validation rule, in every version of the spec that has it.

A row has the findings on a fragment in the versions from `first` to `last`. In versions
before `first` the findings must differ.
"""

from __future__ import annotations

import pytest

from ignition.schemas.spec import Spec
from tests.config.rules import CONFIG_LEVEL, DUPLICATES, IGNITION, NODES, RESOURCE, UNITS, Rule
from tests.config.shorthand import verdict
from tests.config.storage_rules import DISKS, FILESYSTEMS, RAIDS, VOLUMES

RULES = [
    *CONFIG_LEVEL,
    *IGNITION,
    *RESOURCE,
    *NODES,
    *DISKS,
    *RAIDS,
    *FILESYSTEMS,
    *VOLUMES,
    *DUPLICATES,
    *UNITS,
]

CASES = [
    pytest.param(rule, spec, id=f"{rule.name} in {spec.version}")
    for rule in RULES
    for spec in Spec
    if rule.first <= spec <= rule.last
]


@pytest.mark.parametrize(("rule", "spec"), CASES)
def test_rule_in_its_versions_yields_expected_findings(rule: Rule, spec: Spec) -> None:
    assert tuple(verdict(rule.fragment, spec)) == rule.expected


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        pytest.param(rule, spec, id=f"{rule.name} too early, in {spec.version}")
        for rule in RULES
        for spec in Spec
        if spec < rule.first and rule.expected
    ],
)
def test_rule_before_its_first_version_yields_other_findings(rule: Rule, spec: Spec) -> None:
    assert tuple(verdict(rule.fragment, spec)) != rule.expected
