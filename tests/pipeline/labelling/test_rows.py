"""Labelled rows as people review them."""

from __future__ import annotations

import pytest

from components.errors import InputError
from components.headline_example_gen.settings import DataConfig
from pipeline.labelling.rows import read_labelled
from tests.components.headline_example_gen.ingests import write_csv

ROWS = [(f"Title {number}", number % 2) for number in range(44)]
CASES = [*ROWS[::2], *((f"a title{' ' * spaces}", 1) for spaces in range(30))]
SETTINGS = DataConfig()


def test_each_exact_title_is_there_once_and_names_the_rows_that_contradict_it(tmp_path):
    rows = [*ROWS, ("Title 1", 1), ("TITLE  1", 0), ("Title 2", 1), ("", 1), *[("title 3", 0)] * 5]
    path = write_csv(tmp_path / "a.csv", rows)
    labelled = read_labelled([path], SETTINGS)
    found = dict(zip(labelled.titles, labelled.contradictions, strict=True))
    assert (labelled.read, labelled.repeats, labelled.rejected) == (53, 6, 1)
    assert (len(labelled.titles), labelled.labels[:4].tolist()) == (46, [0, 1, 0, 1])
    assert found["Title 1"] == f"0 in {path}:47"
    assert found["TITLE  1"] == f"1 in {path}:3, {path}:46"
    assert found["Title 2"] == f"1 in {path}:48"
    assert found["Title 3"] == f"0 in {path}:50, {path}:51, {path}:52 and 2 more"
    assert found["Title 4"] == ""


def test_an_answer_stands_for_the_labels_of_all_rows_of_its_title(tmp_path):
    path = write_csv(tmp_path / "a.csv", [*ROWS, ("Title 2", 1)])
    labelled = read_labelled([path], SETTINGS, {"Title 2": 1})
    assert labelled.labels[2] == 1
    assert not any(labelled.contradictions)


@pytest.mark.parametrize(("rows", "counts"), [(ROWS[:30], (15, 15)), (ROWS[::2] * 3, (22, 0)), (CASES, (22, 1))])
def test_too_few_titles_of_a_class(tmp_path, rows, counts):
    received = "{} labelled 0 and {} labelled 1".format(*counts)
    with pytest.raises(
        InputError, match=f"at least 20 different titles of each class .* Received: {received}. Label more."
    ):
        read_labelled([write_csv(tmp_path / "a.csv", rows)], SETTINGS)
