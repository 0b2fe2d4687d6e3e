"""A title is kept once, where it was read first; with both labels it is kept nowhere."""

import itertools

import pytest

from components.headline_example_gen.resolve import Candidate, Resolution, resolve
from components.labelled_csv.rows import Fault

PATHS = ("a.csv", "b.csv")


def one(title: str, file: int, line: int, label: int, order: int = 7) -> Candidate:
    return Candidate(order, title, file, line, label, split="")


def resolved(rows, labels=("0", "1")) -> list[Resolution]:
    return list(resolve(rows, PATHS, labels))


def test_nothing_gives_nothing():
    assert resolved([]) == []


def test_a_title_alone_is_kept():
    row = one("One", 0, 2, 1)
    assert resolved([row]) == [Resolution(row, [], ())]


def test_of_repeats_the_first_by_file_and_line_is_kept_in_whatever_order_they_come():
    rows = [one("One", 0, 9, 1), one("One", 0, 10, 1), one("One", 1, 2, 1)]
    for shuffled in itertools.permutations(rows):
        assert resolved(shuffled) == [Resolution(rows[0], rows[1:], ())]


def test_all_rows_of_a_title_with_both_labels_are_faults_that_point_at_each_other():
    rows = [one("One", 0, 2, 1), one("One", 0, 5, 1), one("One", 1, 2, 0)]
    expected = [
        (0, Fault(2, "conflict", "the same title is labelled 1 here and 0 in b.csv:2", "One", "1")),
        (0, Fault(5, "conflict", "the same title is labelled 1 here and 0 in b.csv:2", "One", "1")),
        (1, Fault(2, "conflict", "the same title is labelled 0 here and 1 in a.csv:2", "One", "0")),
    ]
    for shuffled in itertools.permutations(rows):
        assert resolved(shuffled) == [Resolution(None, (), expected)]


def test_a_conflict_names_the_labels_as_the_column_does():
    ((_, _, conflicts, _),) = resolved([one("One", 0, 2, 1), one("One", 1, 2, 0)], ("news", "clickbait"))
    assert [fault.label for _, fault in conflicts] == ["clickbait", "news"]
    assert conflicts[0][1].reason == "the same title is labelled clickbait here and news in b.csv:2"


@pytest.mark.parametrize("other", ["one", " One", "One\u200b", "Ｏne"])
def test_titles_of_one_key_that_are_not_the_same_text_are_no_repeats_and_no_conflict(other):
    rows = sorted([one("One", 0, 2, 1), one(other, 0, 3, 0)])
    assert [found.kept for found in resolved(rows)] == rows


def test_titles_come_in_the_order_of_their_keys_and_equal_keys_in_the_order_of_their_text():
    rows = [one("C", 0, 2, 1, order=1), one("B", 0, 3, 0, order=2), one("A", 1, 2, 1, order=2), one("D", 0, 9, 0, 0)]
    assert [found.kept.title for found in resolved(rows)] == ["D", "C", "A", "B"]
    assert resolved(rows) == resolved(rows[::-1])
