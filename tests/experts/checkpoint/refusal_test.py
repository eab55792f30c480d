"""The error, and how it speaks of what stands in hostile files."""

import pytest

from emojax.experts.checkpoint import refusal


def test_an_error_says_what_was_expected_what_came_and_what_to_do():
    error = refusal.CheckpointError(expected="a file", got="none", fix="Get it.")
    assert str(error) == "expected a file; got none. Get it."
    assert (error.expected, error.got, error.fix) == ("a file", "none", "Get it.")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conv1.weight", "conv1.weight"),
        ("größe", "gr\\xf6\\xdfe"),
        ("\x1b[31mred\n", "\\x1b[31mred\\n"),
        (b"bytes\x00", "bytes\\x00"),
        (5, "5"),
        (1 << 5000, "a huge number"),
        (True, "True"),
        ({"a": 1}, "a dict"),
    ],
)
def test_names_are_shown_printable_and_on_one_line(name, text):
    assert refusal.shown(name) == text


def test_long_names_and_long_lists_are_cut():
    assert len(refusal.shown("x" * 1_000_000)) < 130
    assert refusal.listed([f"k{n}" for n in range(10)]).endswith("k7 and 2 more")


def test_the_refusal_of_code_says_that_nothing_ran():
    assert "os.system; nothing of the file was executed" in str(refusal.refused("os.system"))
    assert "Get the file again" in str(refusal.damaged("half of a file"))
