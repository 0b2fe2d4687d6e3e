"""JSON to tensors: what TF Serving reads, in its leniency and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.errors import ServingError
from serving.server.rest.json_tensors import parse_object, read_columns, rows_to_json, to_body

pytestmark = pytest.mark.slow


def infos(dtype):
    return {"x": meta_graph_pb2.TensorInfo(dtype=dtype)}


STRING, FLOAT, INT8 = 7, 1, 6


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": [1, 2.5, "x"]}', {"a": [1, 2.5, "x"]}),
        (b'\xef\xbb\xbf\r\n\t {"a": 1} \n', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 1}),
        (b'{"a": Infinity}', {"a": float("inf")}),
        (b'{"a": "\\u00fc"}', {"a": "\u00fc"}),
    ],
)
def test_what_is_taken(body, expected):
    assert parse_object(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"nope",
        b"[]",
        b'{"a" 1}',
        b'{"a": 1} x',
        b'{"a": "\\x"}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 1_000_000,
        b'{"a": ' * 1_000_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: str(body[:20]),
)
def test_what_is_refused(body):
    with pytest.raises(ServingError) as caught:
        parse_object(body)
    assert caught.value.http_status == 400


def test_bytes_that_are_no_text_go_through():
    array = read_columns(parse_object(b'{"a": "\xff\xfe"}')["a"], infos(STRING))["x"]
    assert array.tolist() == b"\xff\xfe" and to_body(["\udcff\udcfe"]) == b'["\xff\xfe"]'


@pytest.mark.parametrize("text", ["YQ==", "YQ", "YQ=", "Y Q\n=="])
def test_base64_is_read_leniently(text):
    assert read_columns({"b64": text}, infos(STRING))["x"].tolist() == b"a"


def test_half_a_surrogate_pair():
    assert read_columns("\udc00", infos(STRING))["x"].tolist() == b"\xed\xb0\x80"
    with pytest.raises(ServingError):
        read_columns("\ud800", infos(STRING))


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([[1, 2.5]], FLOAT, np.float32([[1, 2.5]])),
        ([1e300], FLOAT, np.float32([np.inf])),
        ([300], INT8, np.int8([44])),
        ([[], []], FLOAT, np.empty((2, 0), np.float32)),
        ([], STRING, np.empty(0, object)),
    ],
)
def test_values_and_shapes(value, dtype, expected):
    array = read_columns(value, infos(dtype))["x"]
    assert array.dtype == expected.dtype and array.shape == expected.shape and array.tolist() == expected.tolist()


def deep(levels):
    value = "a"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([[1], [1, 2]], FLOAT),
        ([[1], 1], FLOAT),
        ([1, [1]], FLOAT),
        ([[1], [[1]]], FLOAT),
        ([True], FLOAT),
        (["1"], FLOAT),
        ([10**400], FLOAT),
        ([1.5], INT8),
        ([2**31], INT8),
        ([1], STRING),
        ({"b64": "?"}, STRING),
        ({"b64": "\u00fc"}, STRING),
        (deep(65), STRING),
        (deep(900), STRING),
    ],
)
def test_values_that_do_not_fit(value, dtype):
    with pytest.raises(ServingError) as caught:
        read_columns(value, infos(dtype))
    assert caught.value.http_status == 400


def test_a_type_that_json_has_no_value_for():
    with pytest.raises(ServingError) as caught:
        read_columns([1], infos(8))  # complex64
    assert caught.value.http_status == 501


def test_numbers_are_written_short():
    assert (
        to_body(rows_to_json({"y": np.float32([0.2, 1e6, 1 / 3])})) == b'{"predictions": [0.2, 1000000.0, 0.33333334]}'
    )
