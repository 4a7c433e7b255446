"""Our verdicts beside those of the distribution's packaged reference validator (spec up to 3.3.0).

Exit status, severities, paths, lines, columns and the order of the entries. The test
set-up installs the package `ignition`.
"""

from __future__ import annotations

import pytest

from ignition.config.parse import check
from ignition.schemas.spec import Spec
from tests.config.documents import broken, document
from tests.config.json.test_shape import DOCUMENTS
from tests.config.reference import VALIDATOR, agree, knew_more, verdict_of, verdict_of_reference
from tests.config.spoken import text
from tests.config.test_rules import RULES

pytestmark = pytest.mark.real_commands(VALIDATOR.name)

KNOWN = [spec for spec in Spec if spec <= Spec.V3_3]
"""What the packaged release knows."""

ROUNDS = range(60)
PER_ROUND = 10


def assert_agreement(data: bytes) -> None:
    ours, theirs = verdict_of(check(data)), verdict_of_reference(data)
    assert agree(ours, theirs) or knew_more(ours, theirs), (data, ours, theirs)


@pytest.mark.parametrize("seed", ROUNDS)
def test_random_documents(seed: int) -> None:
    for index in range(PER_ROUND):
        number = seed * PER_ROUND + index
        assert_agreement(document(number, KNOWN[number % len(KNOWN)]))


@pytest.mark.parametrize("seed", ROUNDS)
def test_broken_documents(seed: int) -> None:
    for index in range(PER_ROUND):
        number = seed * PER_ROUND + index
        assert_agreement(broken(number, document(number, KNOWN[number % len(KNOWN)])))


@pytest.mark.parametrize("spec", KNOWN)
def test_every_rule(spec: Spec) -> None:
    for rule in RULES:
        assert_agreement(text(rule.fragment, spec))


@pytest.mark.parametrize("data", DOCUMENTS)
def test_decoding(data: bytes) -> None:
    assert_agreement(data)
