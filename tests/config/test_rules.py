"""Every rule of config-spec section 5, in every version that has it.

A row says what a fragment gets from its first version on, and until which one. In
earlier versions of the spec it must not get that entry.
"""

from __future__ import annotations

import pytest

from ignition.schemas.spec import Spec
from tests.config.rules import CONFIG_LEVEL, DUPLICATES, IGNITION, NODES, RESOURCE, UNITS, Rule
from tests.config.spoken import verdict
from tests.config.storage_rules import ARRAYS, DISKS, FILESYSTEMS, VOLUMES

RULES = [
    *CONFIG_LEVEL,
    *IGNITION,
    *RESOURCE,
    *NODES,
    *DISKS,
    *ARRAYS,
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
def test_rule(rule: Rule, spec: Spec) -> None:
    assert tuple(verdict(rule.fragment, spec)) == rule.expected


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        pytest.param(rule, spec, id=f"{rule.name} before it, in {spec.version}")
        for rule in RULES
        for spec in Spec
        if spec < rule.first and rule.expected
    ],
)
def test_rule_does_not_hold_before(rule: Rule, spec: Spec) -> None:
    assert tuple(verdict(rule.fragment, spec)) != rule.expected
