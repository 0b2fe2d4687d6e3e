"""The private messages: as the installed packages have them, the same bytes, and no TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from serving.protocol import PROTOCOL_FILE, messages, methods
from serving.protocol.generate import make_protocol
from serving.protocol.tensors import float_tensor, string_tensor

ROOT = Path(__file__).parents[3]


def a_predict_request():
    request = messages.PredictRequest()
    request.model_spec.name = "clickbait"
    request.model_spec.version.value = 3
    request.model_spec.signature_name = "serving_default"
    request.inputs["title"].CopyFrom(string_tensor([b"21 Pictures", "ü 中".encode()]))
    return request


def a_predict_response():
    response = messages.PredictResponse()
    response.model_spec.version.value = 3
    response.outputs["probability"].CopyFrom(float_tensor([0.997, 0.002], (2, 1)))
    return response


def test_importing_the_protocol_imports_no_tensorflow():
    probe = (
        "import sys, serving.protocol.methods, serving.protocol.tensors\n"
        "print([name for name in ('tensorflow', 'tensorflow_serving', 'numpy', 'grpc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_methods_are_tf_servings():
    assert methods.PREDICT.path == "/tensorflow.serving.PredictionService/Predict"
    assert methods.GET_MODEL_METADATA.path == "/tensorflow.serving.PredictionService/GetModelMetadata"
    assert methods.GET_MODEL_STATUS.path == "/tensorflow.serving.ModelService/GetModelStatus"
    assert methods.HEALTH_CHECK.path == "/grpc.health.v1.Health/Check"
    assert set(methods.PREDICTION_SERVICE) == {"Classify", "Regress", "Predict", "MultiInference", "GetModelMetadata"}
    assert set(methods.MODEL_SERVICE) == {"GetModelStatus", "HandleReloadConfigRequest"}
    assert (methods.PREDICT.request, methods.PREDICT.name) == (messages.PredictRequest, "Predict")


def test_a_signature_travels_as_any():
    signatures = messages.SignatureDefMap()
    signatures.signature_def["serving_default"].inputs["title"].dtype = messages.DataType["DT_STRING"].number
    response = messages.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    read = messages.GetModelMetadataResponse.FromString(response.SerializeToString())
    assert read.metadata["signature_def"].type_url.endswith("/tensorflow.serving.SignatureDefMap")
    assert messages.SignatureDefMap.FromString(read.metadata["signature_def"].value) == signatures


def test_a_prediction_log_holds_request_and_response():
    log = messages.PredictionLog()
    log.predict_log.request.CopyFrom(a_predict_request())
    log.predict_log.response.CopyFrom(a_predict_response())
    assert messages.PredictionLog.FromString(log.SerializeToString()) == log


@pytest.mark.slow
def test_the_committed_protocol_is_that_of_the_installed_packages():
    committed = descriptor_pb2.FileDescriptorSet.FromString(PROTOCOL_FILE.read_bytes())
    assert committed == make_protocol(), "run `python -m serving.protocol.generate`"


@pytest.mark.slow
def test_bytes_are_those_of_the_official_stubs():
    """In one process with TensorFlow and its messages of the same names."""
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    request, response = a_predict_request(), a_predict_response()
    official = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    assert official.inputs["title"].string_val[1].decode() == "ü 中"
    assert official.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)
    assert messages.PredictRequest.FromString(official.SerializeToString()) == request
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(official)
    log.predict_log.response.ParseFromString(response.SerializeToString())
    read = messages.PredictionLog.FromString(log.SerializeToString())
    assert (read.predict_log.request, read.predict_log.response) == (request, response)


@pytest.mark.slow
def test_tensors_are_those_of_tensorflow():
    import numpy as np
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    from serving.protocol.tensors import decode_tensor

    dtypes = "float32 float64 float16 int8 uint8 int16 uint16 int32 uint32 int64 bool"
    for dtype in dtypes.split():
        values = np.array([[1, 0], [3, 2]]).astype(dtype)
        official = tf.make_tensor_proto(values)
        read = decode_tensor(messages.TensorProto.FromString(official.SerializeToString()))
        assert (read.shape, read.values) == ((2, 2), values.ravel().tolist()), dtype
    narrow = tf.make_tensor_proto(tf.constant([1.5, -2.0], tf.bfloat16).numpy())
    assert decode_tensor(messages.TensorProto.FromString(narrow.SerializeToString())).values == [1.5, -2.0]
    ours = tf.make_ndarray(tensor_pb2.TensorProto.FromString(string_tensor([b"a", b""]).SerializeToString()))
    assert ours.tolist() == [b"a", b""]
