"""The local server's log: every method and transport that asks the model, and nothing unless it is asked for."""

from __future__ import annotations

import shutil
import stat

import click
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.request_log.options import LogOptions
from serving.server.config import model_config_from_flags
from serving.server.errors import StartError
from serving.server.flags import Flags, parse_flags
from serving.server.preflight import make_plan
from tests.helpers.examples import serialized_example
from tests.helpers.serving import REAL_SERVER, ServerProcess
from tests.serving.server.messages import predict, texts


def entries(folder) -> list:
    files = sorted(map(str, folder.glob("*.tfrecord")))
    records = tf.data.TFRecordDataset(files).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


@pytest.mark.slow
@pytest.mark.skipif(bool(REAL_SERVER), reason="what only the local server does")
def test_what_was_answered_is_logged_and_flushed_at_the_end(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "m" / "7")
    folder = tmp_path / "log"
    with ServerProcess(tmp_path / "m", tmp_path / "log.txt", "m", f"--request_log_dir={folder}") as server:
        server.wait_until_ready()
        service = server.predictions
        service.Predict(predict())
        service.Predict(predict({"examples": texts(serialized_example("abc"))}, signature="serving_examples"))
        with pytest.raises(Exception, match="not found"):
            service.Predict(predict(signature="none"))
        for body in ('{"instances": ["abc", "de"]}', '{"inputs": {"title": ["abc", "de"]}}'):
            assert server.rest("POST", "/v1/models/m:predict", body)[0] == 200
        assert server.rest("POST", "/v1/models/m:predict", '{"instances": [1]}')[0] == 400
        assert server.terminate() == 0
        assert f"logging requests, users' texts, to {folder}" in server.log
    found = entries(folder)
    assert [record.WhichOneof("log_type") for record in found] == ["predict_log"] * 4
    assert {(one.log_metadata.model_spec.name, one.log_metadata.model_spec.version.value) for one in found} == {
        ("m", 7)
    }
    raw, examples, by_row, by_column = found
    for one in (raw, by_row, by_column):
        assert list(one.predict_log.request.inputs["title"].string_val) == [b"abc", b"de"]
        assert list(one.predict_log.response.outputs["probability"].float_val) == [0.75, 0.5]
    assert list(examples.predict_log.response.outputs["probability"].float_val) == [0.75]
    assert examples.log_metadata.model_spec.signature_name == "serving_examples"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_it_is_off_by_default():
    flags, _ = parse_flags(["--model_base_path=/m"])
    assert make_plan(Flags(port=0, grpc_socket_path="s", model_base_path="/m")).request_log is None
    assert flags.request_log_dir == ""
    with pytest.raises(click.UsageError, match="Give --request_log_dir, too"):
        parse_flags(["--model_base_path=/m", "--request_log_sampling_rate=0.5"])


def write_config(tmp_path, logging: str):
    file = tmp_path / "models.config"
    model = f'name: "m" base_path: "/m" model_platform: "tensorflow" logging_config {{ {logging} }}'
    file.write_text(f"model_config_list {{ config {{ {model} }} }}")
    return file


def test_the_configuration_file_asks_for_it_in_the_form_of_tf_serving(tmp_path):
    collector = f'log_collector_config {{ type: "tfrecord" filename_prefix: "{tmp_path}/log/clicks" }}'
    file = write_config(tmp_path, f"{collector} sampling_config {{ sampling_rate: 0.25 }}")
    found = model_config_from_flags(Flags(model_config_file=str(file))).request_log
    assert found == LogOptions(tmp_path / "log", 0.25, prefix="clicks")
    file = write_config(tmp_path, collector)  # as there, no rate is none
    assert model_config_from_flags(Flags(model_config_file=str(file))).request_log is None


@pytest.mark.parametrize(
    ("logging", "message"),
    [
        ('log_collector_config { type: "" }', "Cannot find LogCollector::Factory for type: . The local server's is"),
        ('log_collector_config { type: "kafka" }', "for type: kafka"),
        ('log_collector_config { type: "tfrecord" filename_prefix: "a" }', "an absolute path and the beginning"),
        ('log_collector_config { type: "tfrecord" filename_prefix: "/a/" }', "Received: '/a/'"),
        (
            'log_collector_config { type: "tfrecord" filename_prefix: "/a" } sampling_config { sampling_rate: 2 }',
            "sampling_rate must be from 0 to 1. Received: 2.0",
        ),
    ],
)
def test_a_configuration_that_cannot_be(tmp_path, logging, message):
    with pytest.raises(StartError) as error:
        model_config_from_flags(Flags(model_config_file=str(write_config(tmp_path, logging))))
    assert message in str(error.value)


def test_two_places_are_one_too_many(tmp_path):
    collector = f'log_collector_config {{ type: "tfrecord" filename_prefix: "{tmp_path}/a" }}'
    logging = f"{collector} sampling_config {{ sampling_rate: 1 }}"
    flags = {"port": 0, "grpc_socket_path": "s", "model_config_file": str(write_config(tmp_path, logging))}
    with pytest.raises(StartError, match="must not be given together. Received: --request_log_dir=b"):
        make_plan(Flags(**flags, request_log_dir="b"))


def test_a_folder_that_cannot_be_had_keeps_it_from_starting(tmp_path):
    (tmp_path / "file").touch()
    flags = Flags(port=0, grpc_socket_path="s", model_base_path="/m", request_log_dir=str(tmp_path / "file"))
    with pytest.raises(StartError, match="The folder of the request log must be") as error:
        make_plan(flags)
    assert error.value.exit_code == 2
