"""Rows in, rows and their variants out."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import tensorflow as tf
from tfx.types.standard_artifacts import Examples

from components.data_gate.verdict import DataVerdict, write_verdict
from components.errors import DataRefused
from components.slices import VARIANTS
from components.variant_example_gen.component import VariantExampleGen
from components.variant_example_gen.perturbations import perturb
from components.variant_example_gen.write import SplitToWrite, write_variants
from tests.helpers.examples import serialized_example
from tests.helpers.variants import read_rows, splits_of, write_titles

TRAIN = [("Storm Hits Coast", 0), ("You Won't Believe It", 1), ("9 Cats", 1)]
EVAL = [[("21 “Pictures” of You", 1), ("Budget passed", 0)], [("大雪 2048", 0), ("?!", 1), ("   ", 0)]]


def run(tmp_path, *, accepted=True):
    made = [Examples(), DataVerdict(), Examples()]
    for artifact, name in zip(made, ("examples", "verdict", "variants"), strict=True):
        artifact.uri = str(tmp_path / name)
    examples, verdict, variants = made
    examples.split_names = json.dumps(["train", "eval"])
    write_titles(tmp_path / "examples" / "Split-train", TRAIN)
    write_titles(tmp_path / "examples" / "Split-eval", *EVAL)
    if accepted:
        write_verdict(verdict, [])
    VariantExampleGen.EXECUTOR_SPEC.executor_class._FUNCTION(examples=examples, data_verdict=verdict, variants=variants)
    found = {split: read_rows(folder) for split, folder in splits_of(tmp_path / "variants").items()}
    return variants, found


def test_train_stays_as_it_is_and_each_evaluation_row_comes_in_each_variant(tmp_path):
    variants, found = run(tmp_path)
    assert json.loads(variants.split_names) == ["train", "eval"]
    assert [variants.get_int_custom_property(f"{split}_rows") for split in ("train", "eval")] == [3, 5]
    assert [(row["title"], row["label"], row["row"]) for row in found["train"]] == [
        (*row, number) for number, row in enumerate(TRAIN)
    ]
    assert {(row["split"], row["variant"]) for row in found["train"]} == {("train", "as_is")}
    originals = dict(enumerate(EVAL[0] + EVAL[1]))
    assert {(row["split"], row["row"], row["variant"]) for row in found["eval"]} == {
        ("eval", row, variant) for row in originals for variant in VARIANTS
    }
    assert len(found["eval"]) == len(originals) * len(VARIANTS)
    for row in found["eval"]:
        title, label = originals[row["row"]]
        assert (row["title"], row["label"]) == (perturb(title, row["variant"]), label)


def test_a_row_stays_in_its_natural_slices_whatever_the_variant_writes(tmp_path):
    _, found = run(tmp_path)
    sliced = Counter((row["row"], row["starts_with_digit"], row["says_you"], row["length"]) for row in found["eval"])
    assert set(sliced.values()) == {len(VARIANTS)}
    assert (0, "yes", "yes", "1-5 words") in sliced


def test_the_same_rows_make_the_same_rows_in_the_same_files(tmp_path):
    for name in ("one", "two"):
        write_titles(tmp_path / name / "titles", *EVAL)
        assert (
            write_variants(SplitToWrite("eval", tmp_path / name / "titles", tmp_path / name / "variants", VARIANTS))
            == 5
        )
    names = [sorted(file.name for file in (tmp_path / output / "variants").iterdir()) for output in ("one", "two")]
    assert names == [[f"data_tfrecord-{number:05d}-of-00020.gz" for number in range(20)]] * 2
    assert read_rows(tmp_path / "one" / "variants") == read_rows(tmp_path / "two" / "variants")


def test_a_split_without_rows_stays_a_split(tmp_path):
    assert (
        write_variants(SplitToWrite("eval", write_titles(tmp_path / "none", []), tmp_path / "variants", ("as_is",)))
        == 0
    )
    assert read_rows(tmp_path / "variants") == []
    assert len(list((tmp_path / "variants").iterdir())) == 1


def test_refused_data_is_not_evaluated(tmp_path):
    with pytest.raises(DataRefused):
        run(tmp_path, accepted=False)


def test_a_row_keeps_its_slices_by_columns_in_all_variants(tmp_path):
    (tmp_path / "titles").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "titles" / "data.gz"), "GZIP") as writer:
        example = tf.train.Example.FromString(serialized_example("One", 1))
        example.features.feature["slice:источник"].bytes_list.value.append("Ä, b".encode())
        writer.write(example.SerializeToString())
    write_variants(SplitToWrite("eval", tmp_path / "titles", tmp_path / "variants", VARIANTS))
    assert [row["slice:источник"] for row in read_rows(tmp_path / "variants")] == ["Ä, b"] * len(VARIANTS)


def test_of_a_large_challenge_a_part_is_lower_cased_spread_evenly(tmp_path):
    (tmp_path / "titles").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "titles" / "data.gz"), "GZIP") as writer:
        for number in range(12):
            example = tf.train.Example.FromString(serialized_example(f"Title {number}", 1))
            example.features.feature["challenge"].bytes_list.value.append(b"large" if number < 9 else b"small")
            writer.write(example.SerializeToString())
    shares = {"large": 1 / 3, "small": 1.0}
    assert (
        write_variants(
            SplitToWrite("challenge", tmp_path / "titles", tmp_path / "variants", ("as_is", "lower"), shares)
        )
        == 12
    )
    rows = read_rows(tmp_path / "variants")
    assert [row["row"] for row in rows if row["variant"] == "as_is"] == [*range(12)]
    assert [(row["row"], row["title"]) for row in rows if row["variant"] == "lower"] == [
        (number, f"title {number}") for number in (2, 5, 8, 9, 10, 11)
    ]
