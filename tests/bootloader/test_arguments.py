# SPDX-License-Identifier: Apache-2.0
"""Words of a kernel command line, and requested changes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.bootloader.arguments import (
    KERNEL,
    ArgumentRequest,
    apply_request,
    is_satisfied,
    kernel_words,
    new_lines,
)
from ignition.errors import IgnitionError


def after(line: str, should: tuple[str, ...] = (), should_not: tuple[str, ...] = ()) -> str:
    """The line as it becomes."""
    return " ".join(
        word.text for word in apply_request(kernel_words(line), ArgumentRequest(should, should_not))
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  a  b=c\td\n", ["a", "b=c", "d"]),
        ('dyndbg="file foo +p" ro', ['dyndbg="file foo +p"', "ro"]),
        ('"a=b c" d', ['"a=b c"', "d"]),
        ('a"b c"d', ['a"b c"d']),
        ('a="b c', ['a="b c']),
        ("a='b c'", ["a='b", "c'"]),
        ("a\\ b", ["a\\", "b"]),
    ],
)
def test_kernel_words_splits_like_the_kernel(line: str, words: list[str]) -> None:
    assert [word.text for word in kernel_words(line)] == words


@pytest.mark.parametrize(
    ("line", "should", "should_not", "expected"),
    [
        ("ro quiet", ("nosmt",), (), "ro quiet nosmt"),
        ("ro quiet", (), ("quiet",), "ro"),
        ("ro quiet", ("quiet",), ("nosmt",), "ro quiet"),
        ("", ("a", "b=c"), (), "a b=c"),
        # Whole words only.
        ("quiet=1 xquiet nosmt=force", ("nosmt",), ("quiet",), "quiet=1 xquiet nosmt=force nosmt"),
        # Every occurrence, also consecutive ones.
        ("q a q q b q", (), ("q",), "a b"),
        (f"a{' q' * 20}", (), ("q",), "a"),
        # Several words are one argument.
        ("a b c", ("b c",), (), "a b c"),
        ("a b x c", ("b c",), (), "a b x c b c"),
        ("a b c b", (), ("b c",), "a b"),
        ("a a b b c", (), ("a b",), "c"),
        # The same argument in other quotes is the same argument.
        ('"d=f +p"', ('d="f +p"',), (), '"d=f +p"'),
        ("d=f +p", ('d="f +p"',), (), 'd=f +p d="f +p"'),
        # Words after -- are for init.
        ("ro -- quiet", ("quiet",), (), "ro quiet -- quiet"),
        ("ro quiet -- quiet", (), ("quiet",), "ro -- quiet"),
        ("-- x", ("a",), (), "a -- x"),
        # Empty arguments change nothing.
        ("ro", ("", " "), ("",), "ro"),
        # Arguments that affect each other, as after the second reboot with the reference's example.
        ("a b c", ("b c",), ("a b",), "c b c"),
        ("a", ("b",), ("a b",), "b"),
    ],
)
def test_apply_request_table(
    line: str, should: tuple[str, ...], should_not: tuple[str, ...], expected: str
) -> None:
    assert after(line, should, should_not) == expected
    assert after(expected, should, should_not) == expected


@pytest.mark.parametrize(
    ("should", "should_not"), [(("a",), ("a",)), (("a b",), ("a",)), (("a b c",), ("b c",))]
)
def test_contradictory_request_is_refused(should: tuple[str, ...], should_not: tuple[str, ...]) -> None:
    with pytest.raises(IgnitionError, match="contradictory kernel arguments"):
        after("x a", should, should_not)


@pytest.mark.parametrize("argument", ['a="b', "a\nb", "a\tb", "a -- b", "--"])
def test_invalid_arguments_are_refused(argument: str) -> None:
    with pytest.raises(IgnitionError, match="argument"):
        ArgumentRequest((argument,)).check()
    with pytest.raises(IgnitionError, match="argument"):
        ArgumentRequest((), (argument,)).check()


ARGUMENTS = st.sampled_from(["a", "b", "c", "a b", "b c", "a b c", "a=1", 'd="x y"', "a a"])
WORDS = st.lists(st.sampled_from(["a", "b", "c", "a=1", 'd="x y"', "e", "f"]))
REQUESTS = st.builds(
    ArgumentRequest, st.lists(ARGUMENTS, max_size=3).map(tuple), st.lists(ARGUMENTS, max_size=3).map(tuple)
)


@given(WORDS, REQUESTS)
def test_applied_request_is_satisfied_and_stable(words: list[str], request: ArgumentRequest) -> None:
    try:
        new = apply_request(kernel_words(" ".join(words)), request)
    except IgnitionError:
        return
    line = " ".join(word.text for word in new)
    assert is_satisfied(request, line)
    assert apply_request(kernel_words(line), request) == kernel_words(line)


@given(WORDS, st.lists(st.sampled_from("abcxy")), st.lists(st.sampled_from("efg")))
def test_other_words_keep_their_order(words: list[str], should: list[str], should_not: list[str]) -> None:
    new = after(" ".join(words), tuple(should), tuple(should_not)).split(" ") if words or should else [""]
    kept = [word for text in words if (word := text) not in should_not]
    added = [word for word in dict.fromkeys(should) if word not in words]
    assert " ".join(new) == " ".join((*kept, *added))


@given(WORDS)
def test_empty_request_changes_nothing(words: list[str]) -> None:
    line = " ".join(words)
    assert apply_request(kernel_words(line), ArgumentRequest()) == kernel_words(line)
    assert is_satisfied(ArgumentRequest(), line)


def test_new_lines_changes_only_affected_lines() -> None:
    request = ArgumentRequest(("new",), ("b",))
    assert new_lines(["a  b", "c   d", "e  f"], request, KERNEL) == ["a", "c   d", "e f new"]
    assert new_lines(["a  new", ""], request, KERNEL) is None
    # Lines form one command line.
    assert new_lines(["a", "b"], ArgumentRequest(("a b",)), KERNEL) is None


def test_unterminated_quote_is_an_error() -> None:
    with pytest.raises(IgnitionError, match="unterminated quote"):
        new_lines(['a="b'], ArgumentRequest(("c",)), KERNEL)


@pytest.mark.parametrize(
    ("line", "met"),
    [
        ("BOOT_IMAGE=/vmlinuz ro nosmt", True),
        ("ro nosmt quiet", False),
        ("ro", False),
        ("ro -- nosmt", False),
    ],
)
def test_is_satisfied_table(line: str, met: bool) -> None:
    assert is_satisfied(ArgumentRequest(("nosmt",), ("quiet",)), line) is met


def test_argument_quoted_by_grub_satisfies_the_request() -> None:
    assert is_satisfied(ArgumentRequest(('dyndbg="file a +p"',)), 'ro "dyndbg=file a +p"')
