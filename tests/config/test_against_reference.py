# SPDX-License-Identifier: Apache-2.0
"""Comparison with the packaged reference validator (spec up to 3.3.0).

Compared are exit status, severities, paths, lines, columns and the order of the entries.
The test setup installs the package `ignition`.
"""

from __future__ import annotations

import pytest

from ignition.config.parse import check
from ignition.schemas.spec import Spec
from tests.config.documents import broken, document
from tests.config.json.test_shape import DOCUMENTS
from tests.config.reference import VALIDATOR, agree, is_dropped_rule, verdict_of, verdict_of_reference
from tests.config.shorthand import text
from tests.config.test_rules import RULES

pytestmark = pytest.mark.real_commands(VALIDATOR.name)

KNOWN = [spec for spec in Spec if spec <= Spec.V3_3]
"""Spec versions that the packaged release knows."""

ROUNDS = range(60)
PER_ROUND = 10


def assert_agreement(data: bytes) -> None:
    ours, theirs = verdict_of(check(data)), verdict_of_reference(data)
    assert agree(ours, theirs) or is_dropped_rule(ours, theirs), (data, ours, theirs)


@pytest.mark.parametrize("seed", ROUNDS)
def test_verdict_on_random_documents_agrees_with_reference(seed: int) -> None:
    for index in range(PER_ROUND):
        number = seed * PER_ROUND + index
        assert_agreement(document(number, KNOWN[number % len(KNOWN)]))


@pytest.mark.parametrize("seed", ROUNDS)
def test_verdict_on_damaged_documents_agrees_with_reference(seed: int) -> None:
    for index in range(PER_ROUND):
        number = seed * PER_ROUND + index
        assert_agreement(broken(number, document(number, KNOWN[number % len(KNOWN)])))


@pytest.mark.parametrize("spec", KNOWN)
def test_verdict_on_each_rule_agrees_with_reference(spec: Spec) -> None:
    for rule in RULES:
        assert_agreement(text(rule.fragment, spec))


@pytest.mark.parametrize("data", DOCUMENTS)
def test_verdict_on_decoding_documents_agrees_with_reference(data: bytes) -> None:
    assert_agreement(data)
