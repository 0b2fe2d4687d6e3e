"""Files of tf.Examples as Arrow batches and back."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.record_batches import (
    add_columns,
    distinct_texts,
    numbers,
    read_split,
    read_values,
    texts,
    with_columns,
)
from tests.helpers.variants import read_rows, write_titles

ROWS = [("Storm hits coast", 0), ("大雪 \U0001f389", 1), ("", 0)]


def test_columns_are_added_and_all_else_stays_file_by_file(tmp_path):
    source = write_titles(tmp_path / "source", ROWS, [], ROWS[:1])
    add_columns(source, tmp_path / "target", lambda batch: {"length": np.char.str_len(texts(batch, "title"))})
    files = [sorted(file.name for file in folder.iterdir()) for folder in (source, tmp_path / "target")]
    assert files[0] == files[1]
    rows = [*ROWS, ROWS[0]]
    assert read_rows(tmp_path / "target") == [
        {"title": title, "label": label, "length": len(title)} for title, label in rows
    ]


def test_a_column_of_a_known_name_is_another_one(tmp_path):
    (batch,) = read_split(write_titles(tmp_path / "split", ROWS))
    changed = with_columns(batch, {"title": ["a", "b", "c"], "score": np.array([0.5, np.nan, 1.0], np.float32)})
    assert texts(changed, "title") == ["a", "b", "c"]
    assert numbers(changed, "label").tolist() == [0, 1, 0]
    assert np.array_equal(numbers(changed, "score"), [0.5, np.nan, 1.0], equal_nan=True)


def test_each_text_of_all_splits_is_there_once(tmp_path):
    folders = [write_titles(tmp_path / name, ROWS, ROWS[1:]) for name in ("one", "two")]
    assert distinct_texts(folders, "title") == {title for title, _ in ROWS}


def test_some_columns_are_read_without_the_others(tmp_path):
    folder = write_titles(tmp_path / "split", ROWS, ROWS[1:])
    batches = list(read_values(folder, {"title": tf.string, "label": tf.int64}))
    assert [set(batch) for batch in batches] == [{"title", "label"}] * 2
    rows = [
        (title.decode(), label)
        for batch in batches
        for title, label in zip(batch["title"], batch["label"].tolist(), strict=True)
    ]
    assert rows == [*ROWS, *ROWS[1:]]


def test_more_rows_than_a_batch_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr("components.record_batches._BATCH_ROWS", 2)
    batches = list(read_split(write_titles(tmp_path / "split", ROWS, ROWS)))
    assert [batch.num_rows for batch in batches] == [2, 1, 2, 1]
    assert [title for batch in batches for title in texts(batch, "title")] == [title for title, _ in ROWS * 2]
