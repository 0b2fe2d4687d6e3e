"""Whatever is sent, the server answers in time, says 200 only to what it understood, and lives on.

`FUZZ_SECONDS` sets how long each of the two tests goes on; without it each sends `EXAMPLES`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

import grpc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from tests.helpers.serving import DTYPES
from tests.serving.server.messages import predict, tensor

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
EXAMPLES = 400

#: What a client may be told; INTERNAL and UNKNOWN would be faults that nobody thought of.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
}

INPUTS = {
    "": {"title"},
    "serving_default": {"title"},
    "serving_examples": {"examples"},
    "classify": {"inputs"},
    "regress": {"inputs"},
    "add": {"a", "b"},
    "echo": set(DTYPES),
    "echo_bytes": {"text"},
}

fuzzing = settings(
    max_examples=1_000_000,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


def run_for_a_while(test) -> int:
    """Runs a hypothesis test that calls the function it is given with every example; returns their number."""
    began, count = 0.0, 0

    def tick():
        nonlocal began, count
        began = began or time.monotonic()  # before its first example hypothesis may build tables of characters
        count += 1
        if count > EXAMPLES and time.monotonic() > began + SECONDS:
            pytest.skip("it is enough")  # hypothesis lets it through at once

    with contextlib.suppress(pytest.skip.Exception):
        test(tick)
    return count


signatures = st.sampled_from(
    [
        "",
        "serving_default",
        "serving_examples",
        "classify",
        "regress",
        "add",
        "echo",
        "echo_bytes",
        "__saved_model_init_op",
        "x",
    ]
)
names = st.sampled_from(["title", "examples", "inputs", "a", "b", "text", *DTYPES, "", "\u00fc"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.just({"b64": "YQ=="}),
    st.just({"b64": "?"}),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": signatures | values,
        "instances": st.lists(values, max_size=4) | values,
        "inputs": values,
        "examples": st.lists(values, max_size=3) | values,
        "context": values,
    },
)
bodies = st.one_of(
    documents.map(lambda document: json.dumps(document).encode()),
    documents.map(lambda document: json.dumps(document).encode()[:-1]),
    st.binary(max_size=64),
    values.map(lambda value: json.dumps(value).encode()),
)
paths = st.one_of(
    st.builds(
        "/v1/models/{}{}{}".format,
        st.sampled_from(["m", "x", "", "%6d", "\u00fc".encode().hex()]),
        st.sampled_from(["", "/versions/7", "/versions/6", "/versions/" + "9" * 30, "/labels/x"]),
        st.sampled_from([":predict", ":classify", ":regress", ":PREDICT", "/metadata", "", ":x"]),
    ),
    st.text("/v1models:%?#.7", max_size=20).map(lambda text: "/" + text.replace("#", "")),
)


def check_rows(body, answer):
    """Rows of plain texts to the default signature: as many scores, each the text's length by a quarter."""
    predictions = json.loads(answer).get("predictions")
    rows = json.loads(body)["instances"] if predictions is not None else []
    texts = [row for row in rows if isinstance(row, str)]
    if predictions is not None:
        assert len(predictions) == len(rows)
    if texts and len(texts) == len(rows) and json.loads(body).get("signature_name", "") in ("", "serving_default"):
        assert predictions == [[0.25 * len(text.encode())] for text in texts]


def test_rest(protocol_server):
    def run(tick):
        @fuzzing
        @given(st.sampled_from(["POST", "POST", "POST", "GET", "PUT"]), paths, bodies)
        def one(method, path, body):
            tick()
            status, answer = protocol_server.rest(method, path, None if method == "GET" else body, timeout=20)
            assert status in (200, 400, 404), (status, answer)
            if status == 200:
                check_rows(body, answer)
                assert set(json.loads(answer)) & {
                    "predictions",
                    "outputs",
                    "results",
                    "model_version_status",
                    "model_spec",
                }
            elif answer.startswith(b"{"):
                assert list(json.loads(answer)) == ["error"]

        one()

    assert run_for_a_while(run) > EXAMPLES
    assert protocol_server.process.poll() is None
    assert protocol_server.rest("POST", "/v1/models/m:predict", '{"instances": ["abc"]}')[0] == 200


dims = st.lists(st.sampled_from([-1, 0, 1, 1, 2, 3, 2**31, 2**62]), max_size=3)
fields = {
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
    "int_val": st.integers(-(2**31), 2**31 - 1),
    "int64_val": st.integers(-(2**63), 2**63 - 1),
    "string_val": st.binary(max_size=8),
    "bool_val": st.booleans(),
    "half_val": st.integers(0, 65535),
}


@st.composite
def tensors(draw):
    content = draw(st.dictionaries(st.sampled_from(sorted(fields)), st.none(), max_size=2))
    chosen = {field: draw(st.lists(fields[field], max_size=4)) for field in content}
    if draw(st.integers(0, 4)) == 0:
        chosen["tensor_content"] = draw(st.binary(max_size=16))
    return tensor(draw(st.integers(0, 25) | st.sampled_from([7, 7, 7, 1, 9, 101])), draw(dims), **chosen)


requests = st.builds(
    lambda name, signature, version, inputs, outputs: predict(
        inputs, name=name, signature=signature, version=version, outputs=outputs
    ),
    st.sampled_from(["m", "m", "m", "m", "x", ""]),
    signatures,
    st.sampled_from([None, None, None, 7, 6, -1]),
    st.dictionaries(names, tensors(), max_size=3),
    st.lists(st.sampled_from(["probability", "sum", "text", "x"]), max_size=2),
)


def check_predict(request, answer):
    """An OK is for the model, a version and inputs that there are."""
    spec = request.model_spec
    assert (spec.name, spec.version_label) == ("m", "")
    assert not spec.HasField("version") or spec.version.value == 7
    assert set(request.inputs) == INPUTS[spec.signature_name]
    response = predict_pb2.PredictResponse.FromString(answer)
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 7)
    assert set(response.outputs) == set(request.output_filter or response.outputs)


def test_grpc(protocol_server):
    raw = {
        name: protocol_server.channel.unary_unary(f"/tensorflow.serving.{name}")
        for name in ("PredictionService/Predict", "PredictionService/Classify", "ModelService/GetModelStatus")
    }

    def run(tick):
        @fuzzing
        @given(st.sampled_from(sorted(raw)), requests.map(lambda r: r.SerializeToString()) | st.binary(max_size=40))
        def one(method, request):
            tick()
            try:
                answer = raw[method](request, timeout=20)
            except grpc.RpcError as error:
                # What is no message at all fails in gRPC, before any server code.
                parsed = "deserializing" not in error.details()
                assert error.code() in REFUSALS or not parsed, (error.code(), error.details())
            else:
                if method.endswith("Predict"):
                    check_predict(predict_pb2.PredictRequest.FromString(request), answer)

        one()

    assert run_for_a_while(run) > EXAMPLES
    assert protocol_server.process.poll() is None
    assert protocol_server.score("abc") == (7, 0.75)
