"""What TF Serving 2.16.1 answers over gRPC, case by case.

`TF_SERVING_BINARY` can name a real server, which is asked instead of the local one.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)

from tests.helpers.examples import serialized_example
from tests.helpers.serving import REAL_SERVER
from tests.serving.server.messages import metadata, predict, reload, same_text, status, tensor, texts

pytestmark = pytest.mark.slow

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
FAILED = grpc.StatusCode.FAILED_PRECONDITION


@dataclasses.dataclass(frozen=True)
class Refused:
    """A gRPC request, and the code and message that it is refused with; a pattern where the message names nodes."""

    id: str
    request: Message
    code: grpc.StatusCode
    message: str | re.Pattern


@dataclasses.dataclass(frozen=True)
class Answered:
    """A gRPC request, and what holds for its answer."""

    id: str
    request: Message
    holds: Callable[[Any], Any]


_EXTRA = "Sent extra: {{{}}}. Missing but required: {{{}}}."
_UNKNOWN_VERSION = "Servable not found for request: Specific(m, {})"
_NO_SIGNATURE = 'Serving signature key "{}" not found.'

REFUSED = [
    Refused("no-spec", predict(spec=False), INVALID, "Missing ModelSpec"),
    Refused("no-name", predict(name=""), INVALID, "ModelSpec has no name specified."),
    Refused("model", predict(name="x"), MISSING, "Servable not found for request: Latest(x)"),
    Refused("model-case", predict(name="M"), MISSING, "Servable not found for request: Latest(M)"),
    Refused("version", predict(version=6), MISSING, _UNKNOWN_VERSION.format(6)),
    Refused("version-zero", predict(version=0), MISSING, _UNKNOWN_VERSION.format(0)),
    Refused("version-negative", predict(version=-1), MISSING, _UNKNOWN_VERSION.format(-1)),
    Refused(
        "version-of-model", predict(name="x", version=7), MISSING, "Servable not found for request: Specific(x, 7)"
    ),
    Refused("label", predict(label="x"), INVALID, "Unrecognized servable version label: x"),
    Refused("label-empty", predict(label=""), INVALID, "Unrecognized servable version label: "),
    Refused("signature", predict(signature="z"), FAILED, _NO_SIGNATURE.format("z")),
    Refused("signature-case", predict(signature="Serving_Default"), FAILED, _NO_SIGNATURE.format("Serving_Default")),
    Refused(
        "no-input",
        predict({}),
        INVALID,
        "input size does not match signature: 0!=1 len({}) != len({title}). " + _EXTRA.format("", "title"),
    ),
    Refused(
        "extra-input",
        predict({"title": texts("a"), "b": texts("a"), "a": texts("a")}),
        INVALID,
        "input size does not match signature: 3!=1 len({a,b,title}) != len({title}). " + _EXTRA.format("a,b", ""),
    ),
    Refused(
        "one-of-two",
        predict({"a": tensor(1, [1], float_val=[1])}, signature="add"),
        INVALID,
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). " + _EXTRA.format("", "b"),
    ),
    Refused(
        "input-name",
        predict({"titel": texts("a")}),
        INVALID,
        "Signature input alias: title(feed name: serving_default_title:0) not found in request and no default value "
        "provided. Inputs expected to be in the request {titel}, or default input alias set: ",
    ),
    Refused(
        "dtype-float",
        predict({"title": tensor(1, [1], float_val=[1])}),
        INVALID,
        "Expects arg[0] to be string but float is provided",
    ),
    Refused(
        "dtype-int64",
        predict({"title": tensor(9, [1], int64_val=[1])}),
        INVALID,
        "Expects arg[0] to be string but int64 is provided",
    ),
    Refused(
        "dtype-second",
        predict({"a": tensor(1, [1], float_val=[1]), "b": tensor(3, [1], int_val=[1])}, signature="add"),
        INVALID,
        "Expects arg[1] to be int64 but int32 is provided",
    ),
    Refused(
        "dtype-double",
        predict({"a": tensor(2, [1], double_val=[1]), "b": tensor(9, [1], int64_val=[1])}, signature="add"),
        INVALID,
        "Expects arg[0] to be float but double is provided",
    ),
    Refused(
        "dtype-none", predict({"title": tensor(0, [1], string_val=[b"a"])}), INVALID, "tensor parsing error: title"
    ),
    Refused("dtype-no-such", predict({"title": tensor(999, [1])}), INVALID, "tensor parsing error: title"),
    Refused(
        "shape-of-300",
        predict({"title": tensor(7, [1] * 300, string_val=[b"a"])}),
        INVALID,
        "tensor parsing error: title",
    ),
    Refused("shape-negative", predict({"title": tensor(7, [-1])}), INVALID, "tensor parsing error: title"),
    Refused(
        "shape-overflow",
        predict({"title": tensor(7, [2**40, 2**40], string_val=[b"a"])}),
        INVALID,
        "tensor parsing error: title",
    ),
    Refused(
        "content-too-short",
        predict({"a": tensor(1, [2], tensor_content=b"1234"), "b": tensor(9, [2], int64_val=[1, 2])}, signature="add"),
        INVALID,
        "tensor parsing error: a",
    ),
    Refused(
        "content-no-strings",
        predict({"title": tensor(7, [2], tensor_content=b"\xff\xff\xff")}),
        INVALID,
        "tensor parsing error: title",
    ),
    Refused(
        "shapes-differ",
        predict({"a": tensor(1, [3], float_val=[1, 2, 3]), "b": tensor(9, [2], int64_val=[1, 2])}, signature="add"),
        INVALID,
        re.compile(r"Incompatible shapes: \[[23]\] vs\. \[[23]\]\n\t \[\[.*node add.*\]\]", re.DOTALL),
    ),
    Refused("scalar-title", predict({"title": texts("a", shape=[])}), INVALID, re.compile("slice|rank|scalar", re.I)),
    Refused(
        "filter-unknown",
        predict(outputs=["score"]),
        INVALID,
        "output tensor alias not found in signature: score Outputs expected to be in the set {probability}.",
    ),
    Refused(
        "filter-twice",
        predict(outputs=["probability", "probability"]),
        INVALID,
        "duplicate output tensor alias: probability",
    ),
    Refused(
        "no-example",
        predict({"examples": texts(b"\xff\xfe")}, signature="serving_examples"),
        INVALID,
        re.compile("Could not parse example input, value: '.*ParseExample", re.DOTALL),
    ),
    Refused(
        "example-is-text",
        predict({"examples": texts("Hello World")}, signature="serving_examples"),
        INVALID,
        re.compile(r"Could not parse example input, value: 'Hello World'\n\t \[\[.*ParseExample", re.DOTALL),
    ),
    Refused(
        "example-without-title",
        predict({"examples": texts("")}, signature="serving_examples"),
        INVALID,
        re.compile(r"Name: <unknown>, Feature: title \(data type: string\) is required but could not be found\."),
    ),
    Refused(
        "message-cut",
        predict({"examples": texts("Hello World" * 500)}, signature="serving_examples"),
        INVALID,
        "Could not parse example input, value: '" + ("Hello World" * 500)[: 1024 - 39] + "...TRUNCATED",
    ),
    Refused("metadata-no-spec", metadata("signature_def", spec=False), INVALID, "Missing ModelSpec"),
    Refused("metadata-no-name", metadata("signature_def", name=""), INVALID, "ModelSpec has no name specified."),
    Refused(
        "metadata-nothing", metadata(), INVALID, "GetModelMetadataRequest must specify at least one metadata_field"
    ),
    Refused("metadata-field", metadata("x"), INVALID, "Metadata field x is not supported"),
    Refused(
        "metadata-model",
        metadata("signature_def", name="x"),
        MISSING,
        "Servable not found for request: Latest(x)",
    ),
    Refused("metadata-version", metadata("signature_def", version=6), MISSING, _UNKNOWN_VERSION.format(6)),
    Refused("status-no-spec", status(spec=False), INVALID, "Missing ModelSpec"),
    Refused("status-no-name", status(""), MISSING, "Could not find any versions of model "),
    Refused("status-model", status("x"), MISSING, "Could not find any versions of model x"),
    Refused("status-version", status(version=6), MISSING, "Could not find version 6 of model m"),
    Refused("reload-relative", reload(("m", "m", "tensorflow")), INVALID, re.compile("")),
    Refused("reload-platform", reload(("m", "/m", "jax")), INVALID, re.compile("")),
    Refused("reload-no-platform", reload(("m", "/m", "")), INVALID, re.compile("")),
    Refused(
        "reload-twice",
        reload(("m", "/m", "tensorflow"), ("m", "/n", "tensorflow")),
        INVALID,
        "Illegal to list model m multiple times in config list",
    ),
    Refused(
        "reload-nothing",
        model_management_pb2.ReloadConfigRequest(),
        INVALID,
        re.compile("ServerModelConfig type not supported by HandleReloadConfigRequest."),
    ),
]


def _probabilities(*expected: float, shape=None):
    def holds(response):
        output = response.outputs["probability"]
        assert list(output.float_val) == pytest.approx(expected)
        assert not output.tensor_content
        assert [dim.size for dim in output.tensor_shape.dim] == (shape or [len(expected), 1])
        assert (response.model_spec.name, response.model_spec.version.value) == ("m", 7)

    return holds


def _echoed(response):
    values = {alias: tf.make_ndarray(proto).tolist() for alias, proto in response.outputs.items()}
    assert values == {alias: tf.make_ndarray(proto).tolist() for alias, proto in _ECHO.items()}
    assert not any(proto.tensor_content for proto in response.outputs.values())


_ECHO = {
    "bool": tf.make_tensor_proto([False, True]),
    **{kind: tf.make_tensor_proto([0, 2.5], tf.as_dtype(kind)) for kind in ("float16", "bfloat16", "float64")},
    **{
        kind: tf.make_tensor_proto([0, 100], tf.as_dtype(kind))
        for kind in ("int8", "uint8", "int16", "int32", "uint32", "uint64")
    },
}

_EXAMPLE = serialized_example("abcd", 0)

ANSWERED = [
    Answered("predict", predict(), _probabilities(0.75, 0.5)),
    Answered("version", predict(version=7), _probabilities(0.75, 0.5)),
    Answered("one-row", predict({"title": texts("a")}), _probabilities(0.25)),
    Answered("empty-batch", predict({"title": texts()}), _probabilities(shape=[0, 1])),
    Answered("empty-text", predict({"title": texts("")}), _probabilities(0.0)),
    Answered("nul-in-text", predict({"title": texts(b"a\x00b")}), _probabilities(0.75)),
    Answered("not-utf8", predict({"title": texts(b"\xff\xfe")}), _probabilities(0.5)),
    Answered("signature-default", predict(), lambda response: response.model_spec.signature_name == "serving_default"),
    Answered("filter", predict(outputs=["probability"]), _probabilities(0.75, 0.5)),
    Answered("examples", predict({"examples": texts(_EXAMPLE)}, signature="serving_examples"), _probabilities(1.0)),
    Answered(
        "strings-in-content",
        predict({"title": tensor(7, [2], tensor_content=b"\x01\x02abb")}),
        _probabilities(0.25, 0.5),
    ),
    Answered(
        "last-value-repeats",
        predict({"title": tensor(7, [3], string_val=[b"a", b"bb"])}),
        _probabilities(0.25, 0.5, 0.5),
    ),
    Answered("no-value-is-empty", predict({"title": tensor(7, [2])}), _probabilities(0.0, 0.0)),
    Answered("values-beyond-shape", predict({"title": tensor(7, [1], string_val=[b"a", b"bb"])}), _probabilities(0.25)),
    Answered("many-rows", predict({"title": texts(*["ab"] * 5000)}), _probabilities(*[0.5] * 5000)),
    Answered("over-4-MiB", predict({"title": texts("x" * (5 << 20))}), _probabilities(0.25 * (5 << 20))),
    Answered(
        "two-outputs",
        predict({"a": tensor(1, [1], float_val=[0.5]), "b": tensor(9, [1], int64_val=[3])}, signature="add"),
        lambda response: (
            list(response.outputs["sum"].float_val) == [3.5] and list(response.outputs["text"].string_val) == [b"3"]
        ),
    ),
    Answered(
        "one-of-two-outputs",
        predict(
            {"a": tensor(1, [1], tensor_content=b"\0\0\0\0"), "b": tensor(9, [1], int64_val=[3])},
            signature="add",
            outputs=["text"],
        ),
        lambda response: list(response.outputs) == ["text"],
    ),
    Answered("every-dtype", predict(_ECHO, signature="echo"), _echoed),
    Answered(
        "metadata",
        metadata("signature_def"),
        lambda response: (
            (response.model_spec.name, response.model_spec.version.value) == ("m", 7)
            and "serving_default_title:0" in str(_unpacked(response))
        ),
    ),
    Answered(
        "status",
        status(),
        lambda response: (
            [(v.version, v.state, v.status.error_code) for v in response.model_version_status] == [(7, 30, 0)]
        ),
    ),
    Answered("status-version", status(version=7), lambda response: len(response.model_version_status) == 1),
]


def _unpacked(response):
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    return found


_METHODS = {
    "PredictRequest": "Predict",
    "GetModelMetadataRequest": "GetModelMetadata",
}


def _call(server, request):
    name = request.DESCRIPTOR.name
    if name in _METHODS:
        return getattr(server.predictions, _METHODS[name])(request, timeout=60)
    if name == "GetModelStatusRequest":
        return server.models.GetModelStatus(request, timeout=60)
    return server.models.HandleReloadConfigRequest(request, timeout=60)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_grpc_refuses(protocol_server, case):
    with pytest.raises(grpc.RpcError) as caught:
        _call(protocol_server, case.request)
    assert caught.value.code() is case.code, caught.value.details()
    same_text(caught.value.details(), case.message)


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.id)
def test_grpc_answers(protocol_server, case):
    assert case.holds(_call(protocol_server, case.request)) in (None, True)


@pytest.mark.skipif(bool(REAL_SERVER), reason="what only the local server does")
@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("Classify", classification_pb2.ClassificationRequest),
        ("Regress", regression_pb2.RegressionRequest),
        ("MultiInference", inference_pb2.MultiInferenceRequest),
    ],
)
def test_what_is_left_out(protocol_server, method, request_type):
    with pytest.raises(grpc.RpcError) as caught:
        getattr(protocol_server.predictions, method)(request_type(), timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert f"must be called by Predict. Received: {method}, which it leaves out" in caught.value.details()


def test_what_is_no_message(protocol_server):
    call = protocol_server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff", timeout=60)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


def test_health_is_unimplemented_unless_asked_for(protocol_server):
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(protocol_server.channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
