"""Words of a command line as the kernel has them, and what a wish makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.bootloader.arguments import KERNEL, Wish, changed, is_met, kernel_words, new_lines
from ignition.errors import IgnitionError


def after(line: str, should: tuple[str, ...] = (), should_not: tuple[str, ...] = ()) -> str:
    """The line as it becomes."""
    return " ".join(word.text for word in changed(kernel_words(line), Wish(should, should_not)))


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
def test_words_are_what_the_kernel_splits(line: str, words: list[str]) -> None:
    assert [word.text for word in kernel_words(line)] == words


@pytest.mark.parametrize(
    ("line", "should", "should_not", "expected"),
    [
        ("ro quiet", ("nosmt",), (), "ro quiet nosmt"),
        ("ro quiet", (), ("quiet",), "ro"),
        ("ro quiet", ("quiet",), ("nosmt",), "ro quiet"),
        ("", ("a", "b=c"), (), "a b=c"),
        # Whole words: neither a beginning nor an end of one.
        ("quiet=1 xquiet nosmt=force", ("nosmt",), ("quiet",), "quiet=1 xquiet nosmt=force nosmt"),
        # Every occurrence, even those side by side.
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
        # What follows -- is for init.
        ("ro -- quiet", ("quiet",), (), "ro quiet -- quiet"),
        ("ro quiet -- quiet", (), ("quiet",), "ro -- quiet"),
        ("-- x", ("a",), (), "a -- x"),
        # Arguments of no words change nothing.
        ("ro", ("", " "), ("",), "ro"),
        # What one breaks another one mends, as after the second reboot with the reference's example.
        ("a b c", ("b c",), ("a b",), "c b c"),
        ("a", ("b",), ("a b",), "b"),
    ],
)
def test_what_becomes_of_a_line(
    line: str, should: tuple[str, ...], should_not: tuple[str, ...], expected: str
) -> None:
    assert after(line, should, should_not) == expected
    assert after(expected, should, should_not) == expected


@pytest.mark.parametrize(
    ("should", "should_not"), [(("a",), ("a",)), (("a b",), ("a",)), (("a b c",), ("b c",))]
)
def test_a_wish_that_contradicts_itself_is_refused(
    should: tuple[str, ...], should_not: tuple[str, ...]
) -> None:
    with pytest.raises(IgnitionError, match="contradictory kernel arguments"):
        after("x a", should, should_not)


@pytest.mark.parametrize("argument", ['a="b', "a\nb", "a\tb", "a -- b", "--"])
def test_arguments_that_no_line_can_hold_are_refused(argument: str) -> None:
    with pytest.raises(IgnitionError, match="argument"):
        Wish((argument,)).check()
    with pytest.raises(IgnitionError, match="argument"):
        Wish((), (argument,)).check()


ARGUMENTS = st.sampled_from(["a", "b", "c", "a b", "b c", "a b c", "a=1", 'd="x y"', "a a"])
WORDS = st.lists(st.sampled_from(["a", "b", "c", "a=1", 'd="x y"', "e", "f"]))
WISHES = st.builds(
    Wish, st.lists(ARGUMENTS, max_size=3).map(tuple), st.lists(ARGUMENTS, max_size=3).map(tuple)
)


@given(WORDS, WISHES)
def test_what_was_changed_is_as_wished_and_stays(words: list[str], wish: Wish) -> None:
    try:
        new = changed(kernel_words(" ".join(words)), wish)
    except IgnitionError:
        return
    line = " ".join(word.text for word in new)
    assert is_met(wish, line)
    assert changed(kernel_words(line), wish) == kernel_words(line)


@given(WORDS, st.lists(st.sampled_from("abcxy")), st.lists(st.sampled_from("efg")))
def test_single_words_go_and_come_and_all_others_keep_their_order(
    words: list[str], should: list[str], should_not: list[str]
) -> None:
    new = after(" ".join(words), tuple(should), tuple(should_not)).split(" ") if words or should else [""]
    kept = [word for text in words if (word := text) not in should_not]
    added = [word for word in dict.fromkeys(should) if word not in words]
    assert " ".join(new) == " ".join((*kept, *added))


@given(WORDS)
def test_without_a_wish_nothing_changes(words: list[str]) -> None:
    line = " ".join(words)
    assert changed(kernel_words(line), Wish()) == kernel_words(line)
    assert is_met(Wish(), line)


def test_of_several_lines_only_those_change_that_have_to() -> None:
    wish = Wish(("new",), ("b",))
    assert new_lines(["a  b", "c   d", "e  f"], wish, KERNEL) == ["a", "c   d", "e f new"]
    assert new_lines(["a  new", ""], wish, KERNEL) is None
    # A wish may be met across lines: they are one command line.
    assert new_lines(["a", "b"], Wish(("a b",)), KERNEL) is None


def test_a_line_with_an_open_quote_is_not_touched() -> None:
    with pytest.raises(IgnitionError, match="unterminated quote"):
        new_lines(['a="b'], Wish(("c",)), KERNEL)


@pytest.mark.parametrize(
    ("line", "met"),
    [
        ("BOOT_IMAGE=/vmlinuz ro nosmt", True),
        ("ro nosmt quiet", False),
        ("ro", False),
        ("ro -- nosmt", False),
    ],
)
def test_whether_a_kernel_was_started_as_wished(line: str, met: bool) -> None:
    assert is_met(Wish(("nosmt",), ("quiet",)), line) is met


def test_grub_puts_quotes_around_the_whole_argument() -> None:
    assert is_met(Wish(('dyndbg="file a +p"',)), 'ro "dyndbg=file a +p"')
