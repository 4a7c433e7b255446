"""Command lines are read as Go's flag package reads them."""

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
def test_one_or_two_dashes_equals_or_space(words: list[str]) -> None:
    values, rest = parse(FLAGS, words)
    assert values == {"root": "/x", "stage": "disks", "log-to-stdout": "true"}
    assert rest == []


def test_defaults_are_filled_in() -> None:
    assert parse(FLAGS, [])[0] == {"root": "/", "stage": "", "log-to-stdout": "false"}


def test_a_value_may_be_empty_or_look_like_a_flag() -> None:
    assert parse(FLAGS, ["-root", "", "-stage", "--x"])[0] == {
        "root": "",
        "stage": "--x",
        "log-to-stdout": "false",
    }


def test_flags_end_at_the_first_word_and_at_two_dashes() -> None:
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
def test_bad_flags_are_usage_errors(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        parse(FLAGS, words)


@pytest.mark.parametrize("word", ["-h", "--help", "-help"])
def test_help_is_no_error(word: str) -> None:
    with pytest.raises(HelpWanted):
        parse(FLAGS, [word])


def test_the_usage_names_every_flag_with_its_default() -> None:
    text = usage("ignition", FLAGS)
    assert "-root value\n" in text
    assert "the root (default /)" in text
    assert "-log-to-stdout\n" in text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m0s", 120), ("0", 0), ("1.5h", 5400), ("300ms", 0.3), ("1h2m3s", 3723), ("-5s", -5), (".5s", 0.5)],
)
def test_go_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "2", "s", "2 m", "2m0", "1d", "--1s"])
def test_what_is_no_go_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid duration"):
        duration(text)


class TestGnu:
    """As the package `pflag` reads them."""

    def test_flags_may_follow_words(self) -> None:
        values, words = parse_gnu(FLAGS, ["a", "--root", "/x", "-", "--log-to-stdout", "--stage=y", "b"])
        assert values == {"root": "/x", "stage": "y", "log-to-stdout": "true"}
        assert words == ["a", "-", "b"]

    def test_two_dashes_end_the_flags(self) -> None:
        assert parse_gnu(FLAGS, ["a", "--", "--root=/x"]) == (parse(FLAGS, [])[0], ["a", "--root=/x"])

    @pytest.mark.parametrize("word", ["-root=/x", "-r", "--nope", "--stage", "--=x"])
    def test_one_dash_is_none(self, word: str) -> None:
        with pytest.raises(UsageError):
            parse_gnu(FLAGS, [word])

    @pytest.mark.parametrize("word", ["-h", "--help"])
    def test_help(self, word: str) -> None:
        with pytest.raises(HelpWanted):
            parse_gnu(FLAGS, ["a", word])
