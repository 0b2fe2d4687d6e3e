"""Texts become examples in order, whatever they look like; nothing is lost at the borders of shards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf

from components.bulk_example_gen import write
from serving.client.bulk.files import file_digest
from serving.client.errors import FileError
from tests.helpers.pickled_parquet import write_pickled_parquet

TEXTS = ["123", "One,\ntwo", 'She said "no"', "Grüße 😀", "<script>"]


def write_jsonl(path: Path, texts) -> Path:
    path.write_text("".join(json.dumps({"title": text, "id": 7}) + "\n" for text in texts), encoding="utf-8")
    return path


def read(folder: Path) -> list[tuple[int, str]]:
    found = []
    for record in tf.data.TFRecordDataset([*map(str, sorted(folder.iterdir()))], "GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        assert set(feature) == {"title", "row"}
        found.append((feature["row"].int64_list.value[0], feature["title"].bytes_list.value[0].decode()))
    return found


@pytest.mark.parametrize("shard_rows", [1, 2, 5, 100])
def test_every_text_is_there_in_order_whatever_the_shards(tmp_path, monkeypatch, shard_rows):
    monkeypatch.setattr(write, "_SHARD_ROWS", shard_rows)
    path = write_jsonl(tmp_path / "texts.jsonl", TEXTS)
    assert write.write_examples(str(path), "title", file_digest(path), tmp_path / "out") == len(TEXTS)
    assert read(tmp_path / "out") == [*enumerate(TEXTS)]


def test_a_file_without_rows_makes_a_shard_without_rows(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("title\n")
    assert write.write_examples(str(path), "title", file_digest(path), tmp_path / "out") == 0
    assert len([*(tmp_path / "out").iterdir()]) == 1
    assert read(tmp_path / "out") == []


def test_a_file_that_has_changed_is_refused(tmp_path):
    path = write_jsonl(tmp_path / "texts.jsonl", TEXTS)
    digest = file_digest(path)
    write_jsonl(path, TEXTS[1:])
    with pytest.raises(FileError, match="which has changed since the run began"):
        write.write_examples(str(path), "title", digest, tmp_path / "out")


def test_a_parquet_file_that_holds_code_runs_nothing(tmp_path):
    path = write_pickled_parquet(tmp_path / "texts.parquet", tmp_path / "ran", "title")
    with pytest.raises(FileError, match="must hold data alone"):
        write.write_examples(str(path), "title", file_digest(path), tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_a_row_without_a_text_is_named(tmp_path):
    path = write_jsonl(tmp_path / "texts.jsonl", ["One", 5])
    with pytest.raises(FileError, match=r"each row must have a text. Received: 5 at line 2"):
        write.write_examples(str(path), "title", file_digest(path), tmp_path / "out")
