"""`ignition schema` prints what is published."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.schemas.spec import STABLE, Spec
from ignition.verbs.schema import main

PUBLISHED = Path(__file__).parents[2] / "schemas" / "published"
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("spec", Spec, ids=str)
def test_each_version_can_be_printed(spec: Spec, capsys: Capture) -> None:
    assert main([spec.version]) == 0
    assert capsys.readouterr().out == (PUBLISHED / f"ignition-{spec}.json").read_text()


def test_without_a_version_it_is_the_newest_that_is_no_experiment(capsys: Capture) -> None:
    assert main([]) == 0
    assert f'"title": "Ignition config, spec {STABLE}"' in capsys.readouterr().out
    assert "experimental" not in STABLE.version


def test_an_unknown_version_is_a_wrong_command_line(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["3.8.0"])
    assert ended.value.code == 2
    assert "3.7.0-experimental" in capsys.readouterr().err
