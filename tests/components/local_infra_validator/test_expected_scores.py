"""The golden headlines are the article's two and the split's first; the warm-up requests hold no row of the data."""

from pathlib import Path

import pytest

from components.local_infra_validator import expected_scores
from serving.protocol.messages import Example, PredictionLog
from serving.protocol.tensors import decode_tensor


@pytest.mark.slow
def test_titles_are_read_as_tensorflow_writes_them(examples):
    rows = [("Ünïcode 🎉 “quoted”", 1), ("", 0), ("x" * 5000, 1), ("last", 0)]
    split = Path(examples(rows)).parent
    assert expected_scores.read_titles(split, 3) == [*expected_scores.ARTICLE_TITLES, *[title for title, _ in rows[:3]]]
    assert expected_scores.read_titles(split, 99)[2:] == [title for title, _ in rows]
    assert expected_scores.read_titles(split, 0) == [*expected_scores.ARTICLE_TITLES]


def test_an_empty_split_leaves_the_article_s_two(tmp_path):
    assert expected_scores.read_titles(tmp_path, 32) == [*expected_scores.ARTICLE_TITLES]


@pytest.mark.slow
def test_warm_up_requests_are_of_both_signatures_and_of_one_and_more_titles(tmp_path):
    import tensorflow as tf

    expected_scores.write_warmup(tmp_path, "mine")
    found = []
    for record in tf.data.TFRecordDataset(str(tmp_path / expected_scores.WARMUP_FILE)).as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        (name,) = request.inputs
        values = decode_tensor(request.inputs[name]).values
        if name == "examples":
            parsed = (Example.FromString(value).features.feature["title"] for value in values)
            values = [feature.bytes_list.value[0] for feature in parsed]
        assert {value.decode() for value in values} <= set(expected_scores.ARTICLE_TITLES)
        found.append((request.model_spec.name, request.model_spec.signature_name, name, len(values)))
    assert found == [
        ("mine", signature, name, rows)
        for signature, name in (("serving_default", "title"), ("serving_examples", "examples"))
        for rows in (1, 2, 16)
    ]
