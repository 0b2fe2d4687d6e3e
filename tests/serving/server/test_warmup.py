"""A version serves only when its own warm-up requests pass."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.server.errors import ServingError
from serving.server.servable import LoadOptions
from serving.server.warmup import WARMUP_FILE, load_servable
from tests.serving.server.messages import predict, texts

pytestmark = pytest.mark.slow


@pytest.fixture
def version(tiny_model, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "1"))


def load(path: Path, rounds: int = 1):
    return load_servable("m", 1, path, LoadOptions(), rounds)


def write_warmup(path: Path, *records: bytes) -> None:
    (path / WARMUP_FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / WARMUP_FILE)) as writer:
        for record in records:
            writer.write(record)


def as_log(**requests) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    for kind, request in requests.items():
        getattr(log, kind).request.CopyFrom(request)
    return log.SerializeToString()


def test_good_requests(version, caplog):
    caplog.set_level("INFO", "clickbait.server")
    left_out = as_log(classify_log=prediction_log_pb2.ClassifyLog().request)
    write_warmup(version, as_log(predict_log=predict()), left_out, b"")
    load(version, rounds=3).close()
    assert "left out, as its method is: classify_log" in caplog.text


def test_a_request_that_fails_fails_the_load(version):
    write_warmup(version, as_log(predict_log=predict()), as_log(predict_log=predict(signature="z")))
    with pytest.raises(ServingError, match='Serving signature key "z" not found.'):
        load(version)
    load(version, rounds=0).close()


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([b"\xff"], "Failed to parse warmup record: "),
        ([as_log(predict_log=predict())] * 1001, "Number of warmup records exceeds the maximum (1000) at "),
        ([as_log(session_run_log=prediction_log_pb2.SessionRunLog().request)], "Unsupported log_type for warmup: "),
    ],
)
def test_records_that_are_none(version, records, message):
    write_warmup(version, *records)
    with pytest.raises(ServingError) as caught:
        load(version)
    assert message in caught.value.message


@pytest.fixture(scope="module")
def centred_model(tmp_path_factory) -> Path:
    """A model whose score of a text depends on the texts beside it."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="title")])
    def score(title):
        lengths = tf.cast(tf.strings.length(title), tf.float32)
        return {"probability": (lengths - tf.reduce_mean(lengths))[:, tf.newaxis]}

    path = tmp_path_factory.mktemp("centred")
    tf.saved_model.save(module, str(path), signatures=score)
    return path


def test_rows_that_do_not_depend_on_one_another_are_known_by_then(version, centred_model, tmp_path):
    centred = Path(shutil.copytree(centred_model, tmp_path / "2"))
    for path, joined in ((version, True), (centred, False)):
        assert not load(path).row_by_row
        write_warmup(path, as_log(predict_log=predict()))  # of two titles
        model = load(path)
        signature = model.signatures["serving_default"]
        assert model.row_by_row == ({signature.inputs["title"].name} if joined else set())
        (scores,) = model.run({"title": texts("a", "bcd")}, signature.inputs, [signature.outputs["probability"].name])
        assert scores.ravel().tolist() == ([0.25, 0.75] if joined else [-1, 1])
        model.close()


def test_a_file_that_is_cut(version):
    write_warmup(version, as_log(predict_log=predict()))
    os.truncate(version / WARMUP_FILE, 20)
    with pytest.raises(ServingError) as caught:
        load(version)
    assert caught.value.code is grpc.StatusCode.DATA_LOSS


def test_a_thousand_requests_are_allowed(version):
    write_warmup(version, *[as_log(predict_log=predict())] * 1000)
    load(version).close()


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda path: (path / "saved_model.pb").unlink(), grpc.StatusCode.NOT_FOUND),
        (lambda path: os.truncate(path / "saved_model.pb", 500), None),
        (lambda path: (path / "variables" / "variables.index").unlink(), None),
        (lambda path: os.truncate(next(path.glob("variables/variables.data*")), 1), None),
        (lambda path: shutil.rmtree(path / "variables"), None),
    ],
    ids=["no-graph", "half-graph", "no-index", "half-data", "no-variables"],
)
def test_a_version_that_is_not_whole(version, harm, code):
    harm(version)
    with pytest.raises(ServingError) as caught:
        load(version)
    assert code in (None, caught.value.code), caught.value.status_text


def test_other_tags(version):
    with pytest.raises(ServingError) as caught:
        load_servable("m", 1, version, LoadOptions(tags=("serve", "gpu")), 0)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
