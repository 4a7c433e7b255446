# SPDX-License-Identifier: Apache-2.0
"""`ignition explain` lists and explains all codes, and suggests a code for an unknown one."""

from __future__ import annotations

import pytest

from ignition.config.codes import codes
from ignition.verbs.explain import main

Capture = pytest.CaptureFixture[str]


def test_no_argument_lists_all_codes(capsys: Capture) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(codes())
    assert [line.split()[1] for line in listed] == [code.severity.value for code in codes().values()]


@pytest.mark.parametrize("name", codes())
def test_explanation_has_cause_example_and_remedy(name: str, capsys: Capture) -> None:
    assert main([name]) == 0
    code = codes()[name]
    page = capsys.readouterr().out
    assert page.startswith(f"{name} ({code.severity.value}): {code.title}\n\n")
    flat = " ".join(page.split())
    assert " ".join(code.cause.split()) in flat
    assert " ".join(code.remedy.split()) in flat
    for example in (code.wrong, code.right):
        assert not example or f"    {example}\n" in page


def test_unknown_code_is_exit_status_2_with_hint(capsys: Capture) -> None:
    assert main(["unusd-key"]) == 2
    assert capsys.readouterr() == (
        "",
        "ignition explain: code unusd-key not found\n  hint: use unused-key\n",
    )
    assert main(["xyzzy"]) == 2
    assert "run `ignition explain` to list all codes" in capsys.readouterr().err
