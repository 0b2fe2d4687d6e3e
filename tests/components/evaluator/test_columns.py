"""The slices by the values of columns, measured from the predictions."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.columns import ColumnSlices, measure_columns, split_rows
from components.evaluator.compose import compose_verdict
from components.evaluator.measures import measure
from components.evaluator.results import EvaluationVerdict, SliceColumn
from tests.helpers.evaluations import a_policy, good_slices

CONTENDERS = {"as_is": "as_is_probability", "tfidf_lower": "tfidf_lower"}
SOURCES = ["bbc"] * 60 + ["cnn"] * 30 + ["Ä, b"] * 30 + ["rare"] * 9 + ["(none)"] * 3 + [f"s{n}" for n in range(8)]


def test_frequent_values_are_slices_and_so_are_those_that_are_named():
    counts = {f"v{number:02}": 100 - number for number in range(30)} | {
        "few": 9,
        "(none)": 1,
        "named": 2,
        "(other)": 50,
    }
    values = np.array([value for value, rows in counts.items() for _ in range(rows)], object)
    codes = np.repeat(range(len(counts)), [*counts.values()])
    parts = split_rows([*counts], codes)
    assert [*parts] == [*(f"v{number:02}" for number in range(20)), "(other)", "(none)"]
    assert (parts["v01"] == (values == "v01")).all()
    assert parts["(other)"].sum() == sum(rows for value, rows in counts.items() if value not in parts) + 50
    assert [*split_rows([*counts], codes, ["named", "v25", "nobody"])][20:] == ["v25", "named", "(other)", "(none)"]
    assert [*split_rows(["b", "a"], np.repeat([0, 1], 10))] == ["a", "b"]


@pytest.fixture(scope="module")
def predictions(tmp_path_factory) -> dict[str, object]:
    """Folders of both splits, with what the evaluation rows as they are have."""
    place, random = tmp_path_factory.mktemp("predictions"), np.random.default_rng(0)
    folders = {split: place / f"Split-{split}" for split in ("train", "eval")}
    numbers = {
        "label": np.arange(len(SOURCES)) % 2,
        **{name: random.random(len(SOURCES)).astype(np.float32) for name in ("probability", *CONTENDERS.values())},
    }
    for split, folder in folders.items():
        folder.mkdir()
        for number, variant in enumerate(("as_is", "lower") if split == "eval" else ("as_is",)):
            with tf.io.TFRecordWriter(str(Path(folder, f"data-{number}.gz")), "GZIP") as writer:
                for row, source in enumerate(SOURCES):
                    texts = {"split": split, "variant": variant, "slice:source": source, "slice:language": "en"}
                    writer.write(_serialized(texts, {name: values[row] for name, values in numbers.items()}))
    return {"folders": [str(folder) for folder in folders.values()], **numbers}


def _serialized(texts, numbers) -> bytes:
    example = tf.train.Example()
    for name, text in texts.items():
        example.features.feature[name].bytes_list.value.append(text.encode())
    for name, number in numbers.items():
        kind = "int64_list" if name == "label" else "float_list"
        getattr(example.features.feature[name], kind).value.append(number)
    return example.SerializeToString()


PRESENT = ("title", "slice:source", "slice:language", "label")


def test_each_value_is_measured_on_its_evaluation_rows_as_they_are(predictions):
    named = {"source=s3": 0.5, "source=nobody": 0.5, "language=en": 0.9}
    policy = a_policy(min_slice_accuracy=named, wanted_precision=0.5, min_slice_rows=100)
    found = measure_columns(predictions["folders"], PRESENT, CONTENDERS, policy)
    assert found.columns == (SliceColumn("language", 1, 0), SliceColumn("source", 13, 8))
    keys = [{"language": "en"}, *({"source": name} for name in ("bbc", "cnn", "Ä, b", "s3", "(other)", "(none)"))]
    assert [part.key for part in found.slices] == keys
    assert {part.split for part in found.slices} == {"eval"}
    assert [part.metrics["example_count"] for part in found.slices] == [140, 60, 30, 30, 1, 16, 3]
    part = np.array(SOURCES) == "cnn"
    rows = {name: values[part].astype(np.float64) for name, values in predictions.items() if name != "folders"}
    others = {name: rows[feature] for name, feature in CONTENDERS.items()}
    np.testing.assert_equal(found.slices[2].metrics, measure(rows["label"], rows["probability"], others, 0.5))

    judged = compose_verdict([*good_slices(), *found.slices], ["tfidf_lower"], policy, slice_columns=found.columns)
    outcomes = {
        judgement.detail: judgement.outcome for judgement in judged.thresholds if judgement.rule == "slice_accuracy"
    }
    assert outcomes == {
        "1 rows, fewer than 100": "not judged",
        "0 rows, fewer than 100": "not judged",
        "": "broken",
    }
    assert not judged.blessed
    assert judged.evaluation.slices[-1].column == "source" and judged.evaluation.slices[0].column is None
    again = EvaluationVerdict.from_dict(judged.as_dict())
    assert again.evaluation.slice_columns == [*found.columns] and again.evaluation.slices[-1].slice == {
        "source": "(none)"
    }


def test_without_columns_nothing_is_read():
    assert measure_columns(["/nowhere"], ("title", "label"), CONTENDERS, a_policy()) == ColumnSlices()
    assert "slice_columns" not in compose_verdict(good_slices(), [], a_policy()).evaluation.as_dict()


def test_without_rows_there_are_no_slices(tmp_path):
    found = measure_columns([str(tmp_path)], PRESENT, CONTENDERS, a_policy())
    assert found == ColumnSlices([], (SliceColumn("language", 0, 0), SliceColumn("source", 0, 0)))
