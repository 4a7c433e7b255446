# SPDX-License-Identifier: Apache-2.0
"""Parsing of `ignition.version`."""

from __future__ import annotations

import pytest

from ignition.schemas.spec import LATEST, Spec
from ignition.schemas.versions import Unparsable, Unsupported, spec_of


def test_specs_are_ordered_by_version() -> None:
    assert [spec.version for spec in sorted(Spec)] == [
        "3.0.0",
        "3.1.0",
        "3.2.0",
        "3.3.0",
        "3.4.0",
        "3.5.0",
        "3.6.0",
        "3.7.0-experimental",
    ]
    assert max(Spec) is LATEST


@pytest.mark.parametrize("spec", list(Spec))
def test_spec_of_known_version(spec: Spec) -> None:
    assert spec_of(spec.version) is Spec.of(spec.version) is spec


@pytest.mark.parametrize(
    ("text", "spec"), [("03.0.0", Spec.V3_0), ("3.02.00", Spec.V3_2), ("3.1.0-+", Spec.V3_1)]
)
def test_spec_of_ignores_leading_zeros_and_empty_suffixes(text: str, spec: Spec) -> None:
    assert spec_of(text) is spec


@pytest.mark.parametrize(
    "text", ["", "3", "3.0", "3.0.0.0", "a.0.0", "3.0.-0", "3.0.0-é", "3.0.0-a..b", "3.0.0+ "]
)
def test_spec_of_malformed_version_is_unparsable(text: str) -> None:
    with pytest.raises(Unparsable):
        spec_of(text)


@pytest.mark.parametrize(
    "text", ["2.3.0", "3.7.0", "3.0.0-experimental", "3.0.0+x", "3.8.0", "4.0.0", "0.0.0"]
)
def test_spec_of_unknown_version_is_unsupported(text: str) -> None:
    with pytest.raises(Unsupported):
        spec_of(text)
