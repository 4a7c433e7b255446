# SPDX-License-Identifier: Apache-2.0
"""Command lines follow the rules of Go's packages flag and pflag."""

from __future__ import annotations

import pytest

from ignition.errors import UsageError
from ignition.verbs.go_flags import Flag, HelpWanted, duration, parse, parse_gnu, usage

FLAGS = (
    Flag("root", "the root", "/"),
    Flag("stage", "the stage"),
    Flag("log-to-stdout", "log there", boolean=True),
)


@pytest.mark.parametrize(
    "words",
    [
        ["--stage=disks", "--root=/x", "--log-to-stdout"],
        ["-stage=disks", "-root=/x", "-log-to-stdout"],
        ["-stage", "disks", "--root", "/x", "-log-to-stdout=true"],
        ["-stage", "fetch", "-stage", "disks", "-root", "/x", "-log-to-stdout=1"],
    ],
)
def test_flag_forms_are_equivalent(words: list[str]) -> None:
    values, rest = parse(FLAGS, words)
    assert values == {"root": "/x", "stage": "disks", "log-to-stdout": "true"}
    assert rest == []


def test_missing_flags_have_defaults() -> None:
    assert parse(FLAGS, [])[0] == {"root": "/", "stage": "", "log-to-stdout": "false"}


def test_value_may_be_empty_or_start_with_dash() -> None:
    assert parse(FLAGS, ["-root", "", "-stage", "--x"])[0] == {
        "root": "",
        "stage": "--x",
        "log-to-stdout": "false",
    }


def test_flags_end_at_first_word_or_two_dashes() -> None:
    assert parse(FLAGS, ["-root", "/x", "word", "-stage=y"])[1] == ["word", "-stage=y"]
    assert parse(FLAGS, ["--", "-stage=y"])[1] == ["-stage=y"]
    assert parse(FLAGS, ["-"])[1] == ["-"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-nope"], "flag provided but not defined: -nope"),
        (["-stag=x"], "flag provided but not defined: -stag"),
        # As it was typed: one dash is not right for every program.
        (["--stag=x"], "flag provided but not defined: --stag"),
        (["-stage"], "flag needs an argument: -stage"),
        (["--stage"], "flag needs an argument: --stage"),
        (["-log-to-stdout=maybe"], 'invalid boolean value "maybe" for -log-to-stdout'),
        (["---stage=x"], "bad flag syntax: ---stage=x"),
        (["--=x"], "bad flag syntax: --=x"),
    ],
)
def test_invalid_flag_is_usage_error(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        parse(FLAGS, words)


@pytest.mark.parametrize("word", ["-h", "--help", "-help"])
def test_help_flag_raises_help_wanted(word: str) -> None:
    with pytest.raises(HelpWanted):
        parse(FLAGS, [word])


def test_usage_names_flags_with_defaults() -> None:
    text = usage("ignition", FLAGS)
    assert "-root value\n" in text
    assert "the root (default /)" in text
    assert "-log-to-stdout\n" in text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m0s", 120), ("0", 0), ("1.5h", 5400), ("300ms", 0.3), ("1h2m3s", 3723), ("-5s", -5), (".5s", 0.5)],
)
def test_duration_in_seconds(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "2", "s", "2 m", "2m0", "1d", "--1s"])
def test_invalid_duration_is_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="invalid duration"):
        duration(text)


class TestGnu:
    def test_gnu_flags_may_follow_words(self) -> None:
        values, words = parse_gnu(FLAGS, ["a", "--root", "/x", "-", "--log-to-stdout", "--stage=y", "b"])
        assert values == {"root": "/x", "stage": "y", "log-to-stdout": "true"}
        assert words == ["a", "-", "b"]

    def test_gnu_flags_end_at_two_dashes(self) -> None:
        assert parse_gnu(FLAGS, ["a", "--", "--root=/x"]) == (parse(FLAGS, [])[0], ["a", "--root=/x"])

    @pytest.mark.parametrize("word", ["-root=/x", "-r", "--nope", "--stage", "--=x"])
    def test_gnu_flag_with_one_dash_is_usage_error(self, word: str) -> None:
        with pytest.raises(UsageError):
            parse_gnu(FLAGS, [word])

    @pytest.mark.parametrize("word", ["-h", "--help"])
    def test_gnu_help_raises_help_wanted(self, word: str) -> None:
        with pytest.raises(HelpWanted):
            parse_gnu(FLAGS, ["a", word])
