"""Whatever is sent, the server answers in time, says 200 only to what it understood, and lives on in as much memory.

`FUZZ_REST` and `FUZZ_GRPC` set how many requests the two tests send.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from tests.helpers.serving import DTYPES, ServerProcess
from tests.serving.server.messages import predict, tensor

pytestmark = pytest.mark.slow

REST_REQUESTS = int(os.environ.get("FUZZ_REST", "300"))
GRPC_REQUESTS = int(os.environ.get("FUZZ_GRPC", "300"))
#: Requests after which the server's memory is what it needs: each signature is built at its first call.
WARM = 200
#: From then on each so many requests one is a bomb.
BOMB_EVERY = 25
MEMORY = 1.3

#: What a client may be told; INTERNAL and UNKNOWN would be faults that nobody thought of.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # a message over the limit
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


@pytest.fixture(scope="module")
def fuzzed_server(tiny_model, tmp_path_factory):
    """A server of model `m`, in a process of its own, whose memory is no other's."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(tiny_model, folder / "m" / "7")
    with ServerProcess(folder / "m", folder / "log.txt") as server:
        yield server.wait_until_ready()


def run_many(test, count: int, server) -> None:
    """Runs a hypothesis test, and compares the server's memory with that before the first bomb.

    Args:
      test: the test; calls the function that it is given with every example, for the number of the bomb that it is to
        send instead, if any.
      count: the examples that it is to get.
      server: what is tested.
    """
    done, before = 0, 0

    def tick() -> int | None:
        nonlocal done, before
        done += 1
        if done == WARM:
            before = resident_bytes(server)
        if done > count:
            pytest.skip("it is enough")  # hypothesis lets it through at once
        return done // BOMB_EVERY if done > WARM and done % BOMB_EVERY == 0 else None

    with contextlib.suppress(pytest.skip.Exception):
        test(tick)
    assert done > count and server.process.poll() is None
    assert server.score("abc") == (7, 0.75)
    after = resident_bytes(server)
    print(f"{count} requests: {before >> 20} MiB before, {after >> 20} MiB after, {after / before:.2f} times")
    assert after <= MEMORY * before


def resident_bytes(server) -> int:
    """The memory of the server's process."""
    pages = Path(f"/proc/{server.process.pid}/statm")
    if not pages.exists():
        pytest.skip("the memory of another process is read from /proc, which only Linux has")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


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

_FEW = 1 << 20
#: Bodies that ask for much more than they hold, with their headers: nested, wide, compressed, huge numbers, one that
#: the limit excludes.
BOMBS = [
    (b"[" * _FEW, {}),
    (b'{"instances": ' + b"[" * 100_000 + b'"a"' + b"]" * 100_000 + b"}", {}),
    (b'{"instances": ' + b'[{"title":' * 50_000, {}),
    (b'{"instances": [' + b"[]," * _FEW + b"[]]}", {}),
    (b'{"instances": [' + b"{}," * _FEW + b"{}]}", {}),
    (b'{"instances": [' + b"9" * _FEW + b"]}", {}),
    (b'{"instances": [' + b"1e9," * _FEW + b"1e999]}", {}),
    (b'{"instances": ["' + b"\\ud800" * 100_000 + b'"]}', {}),
    (gzip.compress(bytes(1 << 28), 9), {"Content-Encoding": "gzip"}),
    (gzip.compress(b'{"instances": [' + b"[]," * (2 << 20) + b"[]]}", 9), {"Content-Encoding": "gzip"}),
    (gzip.compress(b'{"instances": ["abc"]}')[:-4], {"Content-Encoding": "gzip"}),
    (b"x", {f"Header-{number}": "x" * 1000 for number in range(90)}),
    (bytes(9 << 20), {}),
]
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


def test_rest(fuzzed_server):
    connection = http.client.HTTPConnection("127.0.0.1", fuzzed_server.rest_port, timeout=60)

    def ask(method, path, body, headers):
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (BrokenPipeError, ConnectionResetError):  # the answer to a body that the limit excludes may be lost
            connection.close()
            return 413, b""

    def run(tick):
        @fuzzing
        @given(st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS"]), paths, bodies)
        def send(method, path, body):
            bomb, headers = tick(), {}
            if bomb is not None:
                method, path, (body, headers) = "POST", "/v1/models/m:predict", BOMBS[bomb % len(BOMBS)]
            elif method == "GET":
                body = None
            path = quote(path, safe="/:%?.")
            status, answer = ask(method, path, body, headers)
            assert status in (200, 400, 404, 413, 501), (status, answer)
            if status == 200:
                check_rows(gzip.decompress(body) if headers.get("Content-Encoding") else body, answer)
                assert set(json.loads(answer)) & {"predictions", "outputs", "model_version_status", "model_spec"}
            elif answer.startswith(b"{"):
                assert list(json.loads(answer)) == ["error"]

        send()

    run_many(run, REST_REQUESTS, fuzzed_server)


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


_SCALAR = tensor(7, [], string_val=[b"a"])
#: Messages that ask for much more than they hold.
GRPC_BOMBS = [
    predict({"title": tensor(7, [2**40])}),
    predict({"title": tensor(7, [2**31, 2**31])}),
    predict({"title": tensor(7, [1] * 300, string_val=[b"a"])}),
    predict({"a": tensor(1, [2**33], float_val=[1]), "b": tensor(9, [2**33], int64_val=[1])}, signature="add"),
    predict({"title": tensor(7, [2**20], string_val=[b""] * 2**20)}),
    predict({"title": tensor(7, [1], string_val=[b"x" * (32 << 20)])}),
    predict({f"input-{number}": _SCALAR for number in range(20_000)}),
    predict(outputs=["probability"] * 100_000),
    predict(signature="x" * (8 << 20)),
]
_BOMB_BYTES = [*(bomb.SerializeToString() for bomb in GRPC_BOMBS), bytes(65 << 20), b"\n" * (8 << 20)]
sent = requests.map(lambda request: request.SerializeToString()) | st.binary(max_size=40)


def test_grpc(fuzzed_server):
    raw = {
        (name, compression): fuzzed_server.channel.unary_unary(f"/tensorflow.serving.{name}")
        for name in ("PredictionService/Predict", "PredictionService/Classify", "ModelService/GetModelStatus")
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip)
    }

    def run(tick):
        @fuzzing
        @given(st.sampled_from(sorted(raw)), sent)
        def send(method_and_compression, request):
            bomb = tick()
            method, compression = method_and_compression
            if bomb is not None:
                request = _BOMB_BYTES[bomb % len(_BOMB_BYTES)]
            try:
                answer = raw[method_and_compression](request, timeout=60, compression=compression)
            except grpc.RpcError as error:
                # What is no message at all fails in gRPC, before any server code.
                parsed = "deserializing" not in error.details()
                assert error.code() in REFUSALS or not parsed, (error.code(), error.details())
            else:
                if method.endswith("Predict"):
                    check_predict(predict_pb2.PredictRequest.FromString(request), answer)

        send()

    run_many(run, GRPC_REQUESTS, fuzzed_server)
