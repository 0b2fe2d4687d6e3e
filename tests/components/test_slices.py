"""The slices that a title is in by nature."""

import pytest

from components.slices import LENGTHS, column_features, column_of, slice_title


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


def test_a_column_is_a_feature_that_no_other_can_be_and_its_value_is_one_line():
    found = column_features(["title", "Язык"], [" BBC\n  News ", "\u3000"])
    assert found == {"slice:title": "BBC News", "slice:Язык": "(none)"}
    assert [column_of(name) for name in (*found, "title")] == ["title", "Язык", None]
    assert column_features(["a"], ["x" * 200]) == {"slice:a": "x" * 100}
