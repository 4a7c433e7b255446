"""Every case of `cases/`: disks before, config, disks after; on a real kernel, in guests that boot once.

There are two of these side by side, since a case keeps little more than one processor busy.
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
"""As many other cases are done in the time of one with all its kills."""


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Mapping[str, Result]:
    """What came out of the cases that are asked for: all of them, unless the command line selects some."""
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    asked = {spec.params.get("case") for spec in specs if spec}
    chosen = [case for case in CASES if case.id in asked]
    with ThreadPoolExecutor(GUESTS) as pool:
        results = pool.map(run_cases, filter(None, shares(chosen)))
        return {result.id: result for share in results for result in share}


def shares(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases, in their order, for so many guests: about the same work for each."""
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


def test_a_case_of_which_a_word_has_a_slip_is_refused(tmp_path: Path) -> None:
    text = '[[case]]\ntitle = "a"\nstorage = "{}"\nverdict = "made"\nkeept = ["@a"]\n'
    with pytest.raises(CaseError, match="keept"):
        load(written(tmp_path, text))


def test_a_refusal_has_to_say_why(tmp_path: Path) -> None:
    text = '[[case]]\ntitle = "a"\nstorage = "{}"\nverdict = "refused"\n'
    with pytest.raises(CaseError, match="says why"):
        load(written(tmp_path, text))


def test_variables_and_devices_are_filled_in_everywhere(tmp_path: Path) -> None:
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


def test_there_are_enough_cases_of_both_kinds() -> None:
    verdicts = [step.verdict for case in CASES for step in case.steps]
    assert len(CASES) >= 60
    assert min(verdicts.count("made"), verdicts.count("refused")) >= 20


def test_guests_share_the_work() -> None:
    first, second = shares(CASES)
    assert sorted(case.id for case in (*first, *second)) == sorted(case.id for case in CASES)
    assert min(len(first), len(second)) > len(CASES) // 4
