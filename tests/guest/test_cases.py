# SPDX-License-Identifier: Apache-2.0
"""Every case of `cases/`: disks before, config, disks after, on a real kernel.

Two guests run side by side and boot once each, because a case uses little more than one processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.guest.cases import Case, CaseError, load
from tests.guest.lab import Result, run_cases

CASES = load()
GUESTS = 2
KILLED = 30
"""Weight of a case with kills: the number of other cases that take the same time."""


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Mapping[str, Result]:
    """Results of the cases that the command line selects, by id."""
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    asked = {spec.params.get("case") for spec in specs if spec}
    chosen = [case for case in CASES if case.id in asked]
    with ThreadPoolExecutor(GUESTS) as pool:
        results = pool.map(run_cases, filter(None, shares(chosen)))
        return {result.id: result for share in results for result in share}


def shares(cases: Sequence[Case]) -> list[list[Case]]:
    """Distribute the cases, in order, to the guests, with about the same work for each."""
    found: list[list[Case]] = [[] for _ in range(GUESTS)]
    work = [0] * GUESTS
    for case in cases:
        lightest = work.index(min(work))
        found[lightest].append(case)
        work[lightest] += KILLED if case.killed else 1
    return found


@pytest.mark.boot
@pytest.mark.parametrize("case", [pytest.param(case.id, id=case.id) for case in CASES])
def test_case(case: str, results: Mapping[str, Result]) -> None:
    assert not results[case].problems, str(results[case])


def written(folder: Path, text: str) -> Path:
    (folder / "topic.toml").write_text(text)
    return folder


def test_load_unknown_key_is_error(tmp_path: Path) -> None:
    text = '[[case]]\ntitle = "a"\nstorage = "{}"\nverdict = "made"\nkeept = ["@a"]\n'
    with pytest.raises(CaseError, match="keept"):
        load(written(tmp_path, text))


def test_load_refusal_without_says_is_error(tmp_path: Path) -> None:
    text = '[[case]]\ntitle = "a"\nstorage = "{}"\nverdict = "refused"\n'
    with pytest.raises(CaseError, match="`says` is required"):
        load(written(tmp_path, text))


def test_load_substitutes_variables_and_devices_everywhere(tmp_path: Path) -> None:
    text = """
        [[case]]
        title = "{{format}} on {{disk}}"
        each = { format = ["ext4", "xfs"], disk = ["@b", "@x1"] }
        before = "mkfs.{{format}} {{disk}}"
        storage = '{ "filesystems": [{ "device": "{{disk}}", "format": "{{format}}" }] }'
        verdict = "made"
        after.devices = { "{{disk}}" = "TYPE={{format}}" }
    """
    cases = load(written(tmp_path, text))
    assert [case.disks for case in cases] == ["b", "x", "b", "x"]
    last = cases[-1]
    assert last.id == "topic/xfs on /dev/disk/by-id/virtio-x-part1"
    assert last.steps[0].before == "mkfs.xfs /dev/disk/by-id/virtio-x-part1"
    assert last.steps[0].after.devices == {"/dev/disk/by-id/virtio-x-part1": "TYPE=xfs"}
    assert '"format": "xfs"' in last.steps[0].config


def test_cases_contain_enough_of_both_verdicts() -> None:
    verdicts = [step.verdict for case in CASES for step in case.steps]
    assert len(CASES) >= 60
    assert min(verdicts.count("made"), verdicts.count("refused")) >= 20


def test_shares_distribute_all_cases() -> None:
    first, second = shares(CASES)
    assert sorted(case.id for case in (*first, *second)) == sorted(case.id for case in CASES)
    assert min(len(first), len(second)) > len(CASES) // 4
