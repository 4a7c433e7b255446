"""`ignition explain` knows every code, and helps with those that it does not know."""

from __future__ import annotations

import pytest

from ignition.config.codes import codes
from ignition.verbs.explain import main

Capture = pytest.CaptureFixture[str]


def test_all_codes_are_listed(capsys: Capture) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(codes())
    assert [line.split()[1] for line in listed] == [code.severity.value for code in codes().values()]


@pytest.mark.parametrize("name", codes())
def test_each_has_cause_example_and_remedy(name: str, capsys: Capture) -> None:
    assert main([name]) == 0
    code = codes()[name]
    page = capsys.readouterr().out
    assert page.startswith(f"{name} ({code.severity.value}): {code.title}\n\n")
    flat = " ".join(page.split())
    assert " ".join(code.cause.split()) in flat
    assert " ".join(code.remedy.split()) in flat
    for example in (code.wrong, code.right):
        assert not example or f"    {example}\n" in page


def test_an_unknown_code_is_a_wrong_command_line(capsys: Capture) -> None:
    assert main(["unusd-key"]) == 2
    assert capsys.readouterr() == (
        "",
        "ignition explain: no finding has the code unusd-key; did you mean unused-key?\n",
    )
    assert main(["xyzzy"]) == 2
    assert "`ignition explain` lists all" in capsys.readouterr().err
