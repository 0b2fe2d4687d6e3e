"""The derived features of a title, row by row, whatever the shape of the batch."""

from __future__ import annotations

import gc
import sys

import pyarrow as pa
import pytest

from components.statistics_gen.derived import CASINGS, DERIVED, derive

BYTES, INTS = pa.large_list(pa.large_binary()), pa.large_list(pa.int64())


def batch(*titles: str | None) -> pa.RecordBatch:
    """As tfx_bsl reads Examples; None is a row without a title."""
    values = [None if title is None else [title.encode()] for title in titles]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, BYTES), pa.array([[1]] * len(values), INTS)], ["title", "label"]
    )


def derived(title: str) -> dict:
    (row,) = derive(batch(title)).to_pylist()
    return {name: [value.decode() if isinstance(value, bytes) else value for value in row[name]] for name in DERIVED}


@pytest.mark.parametrize(
    ("title", "casing"),
    [
        ("storm hits the coast", "lower"),
        ("été in 2024", "lower"),
        ("STORM HITS THE COAST", "UPPER"),
        ("ÉTÉ: 5 TIPS", "UPPER"),
        ("The Best of the Year", "Title"),
        ("21 Pictures That Will Make You Feel Like You're 99 Years Old", "Title"),
        ("“Who Are You?” Asks a Cat With Three Owners", "Title"),
        ("Storm hits coast", "Sentence"),
        ("Google announces TensorFlow 2.0", "Sentence"),
        ("“Storm hits coast”", "Sentence"),
        ("It is on", "Sentence"),
        ("To Be Or Not", "Title"),
        ("iPhone sales fall", "mixed"),
        ("2048", "none"),
        ("大雪 2048!", "none"),
        ("", "none"),
    ],
)
def test_casing(title, casing):
    assert derived(title)["title_casing"] == [casing]
    assert casing in CASINGS


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Storm hits Coast", ["storm", "hits", "coast"]),
        ("  “Storm”, (hits)\u00a0coast!  ", ["storm", "hits", "coast"]),
        ("Don’t stop: 5-day rain at $3.50", ["don’t", "stop", "5-day", "rain", "at", "3.50"]),
        ("-- ?! --", []),
        ("", []),
        ("ÉTÉ à São Tirso", ["été", "à", "são", "tirso"]),
    ],
)
def test_words(title, words):
    assert derived(title)["title_words"] == words


def test_length_counts_characters_and_not_bytes():
    assert derived("São 大雪 🎉")["title_length"] == [8]


def test_each_row_has_its_own():
    rows = derive(batch("A Storm", None, "!!!", "two little words")).to_pylist()
    assert [row["title_length"] for row in rows] == [[7], None, [3], [16]]
    assert [row["title_words"] for row in rows] == [[b"a", b"storm"], None, [], [b"two", b"little", b"words"]]
    assert [row["title_casing"] for row in rows] == [[b"Title"], None, [b"none"], [b"lower"]]
    assert [row["label"] for row in rows] == [[1]] * 4


def test_a_batch_may_be_a_slice_of_a_larger_one():
    whole = batch("One Storm", None, "two storms", "!!!", "Three STORMS")
    assert derive(whole.slice(1, 3)).to_pylist() == derive(whole).to_pylist()[1:4]


def test_a_batch_may_be_empty():
    empty = derive(batch())
    assert empty.num_rows == 0
    assert empty.schema.names == ["title", "label", *DERIVED]
    assert [empty.schema.field(name).type for name in DERIVED] == [INTS, BYTES, BYTES]


@pytest.mark.parametrize("titles", [None, pa.nulls(2)], ids=["no column", "no value"])
def test_without_titles_there_is_nothing_to_derive(titles):
    columns = {"label": pa.array([[0], [1]], INTS)} | ({} if titles is None else {"title": titles})
    without = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    assert derive(without).equals(without)


def test_twice_is_once():
    once = derive(batch("Storm hits coast", "!"))
    assert derive(once).equals(once)


def test_no_python_runs_for_a_row():
    headline = "Thirteen Things That Only “Real” Friends Do, Says One Study of 2,000"
    few, many = batch(*[headline] * 10), batch(*[headline] * 1000)
    derive(few)  # what is imported at the first call
    assert calls(lambda: derive(many)) == calls(lambda: derive(few))


def calls(function):
    """How many functions, Python's and C's, a function calls."""
    made = []
    gc.collect()
    gc.disable()  # a collection may call functions of others
    sys.setprofile(lambda frame, event, _: made.append(event))
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return len([event for event in made if event in ("call", "c_call")])


def test_slices_by_columns_have_no_statistics():
    titles = batch("A Storm", "two storms")
    column = pa.array([[b"bbc"], [b"(none)"]], BYTES)
    rows = pa.RecordBatch.from_arrays([*titles.columns, column], [*titles.schema.names, "slice:source"])
    assert derive(rows).equals(derive(titles))
