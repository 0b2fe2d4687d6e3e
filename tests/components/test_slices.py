"""The slices that a title is in by nature."""

import pytest

from components.slices import LENGTHS, slice_title


@pytest.mark.parametrize(
    ("title", "starts_with_digit", "says_you"),
    [
        ("21 Pictures That Will Make You Smile", "yes", "yes"),
        ("“9 Lives” of cats", "yes", "no"),
        ("$5 is enough", "yes", "no"),
        ("Storm hits coast of 3 islands", "no", "no"),
        ("Are YOU'RE there", "no", "yes"),
        ("Love yourself", "no", "yes"),
        ("Young youths of Youngstown", "no", "no"),
        ("Y’all come", "no", "yes"),
        ("", "no", "no"),
    ],
)
def test_digits_and_you(title, starts_with_digit, says_you):
    found = slice_title(title)
    assert (found["starts_with_digit"], found["says_you"]) == (starts_with_digit, says_you)


def test_lengths_part_at_their_names():
    found = {words: slice_title("w " * words)["length"] for words in (0, 1, 5, 6, 9, 10, 14, 15, 99)}
    short, medium, long, longest = LENGTHS
    assert found == {0: short, 1: short, 5: short, 6: medium, 9: medium, 10: long, 14: long, 15: longest, 99: longest}
