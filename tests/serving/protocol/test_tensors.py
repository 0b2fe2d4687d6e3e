"""Tensors by hand: typed values, raw content, one value for all, and what is no tensor."""

from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.protocol.messages import DataType, TensorProto
from serving.protocol.tensors import decode_tensor, dtype_name, float_tensor, string_tensor


def tensor(dtype: str, shape, **values) -> TensorProto:
    made = TensorProto(dtype=DataType[dtype].number, **values)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@settings(deadline=None)
@given(st.lists(st.binary()))
def test_strings_come_back(values):
    assert decode_tensor(string_tensor(values)) == ("DT_STRING", (len(values),), values)


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_floats_come_back(values):
    assert decode_tensor(float_tensor(values, (len(values), 1))) == ("DT_FLOAT", (len(values), 1), values)


@pytest.mark.parametrize(
    ("dtype", "code", "field", "values"),
    [
        ("DT_FLOAT", "f", "float_val", [0.5, -2.0]),
        ("DT_DOUBLE", "d", "double_val", [0.1, -2.0]),
        ("DT_INT8", "b", "int_val", [-1, 2]),
        ("DT_UINT8", "B", "int_val", [255, 2]),
        ("DT_INT16", "h", "int_val", [-1, 2]),
        ("DT_UINT16", "H", "int_val", [65535, 2]),
        ("DT_INT32", "i", "int_val", [-1, 2]),
        ("DT_INT64", "q", "int64_val", [-1, 1 << 60]),
        ("DT_UINT32", "I", "uint32_val", [1, 1 << 31]),
        ("DT_UINT64", "Q", "uint64_val", [1, 1 << 63]),
        ("DT_BOOL", "?", "bool_val", [True, False]),
    ],
)
def test_content_and_typed_values_are_the_same(dtype, code, field, values):
    raw = tensor(dtype, [2], tensor_content=struct.pack(f"<2{code}", *values))
    assert decode_tensor(raw) == decode_tensor(tensor(dtype, [2], **{field: values})) == (dtype, (2,), values)


def test_half_precisions():
    half, brain = struct.pack("<2e", 1.5, -2.0), struct.pack("<2f", 1.5, -2.0)
    brain = brain[2:4] + brain[6:8]
    for dtype, content in (("DT_HALF", half), ("DT_BFLOAT16", brain)):
        typed = tensor(dtype, [2], half_val=struct.unpack("<2H", content))
        assert decode_tensor(tensor(dtype, [2], tensor_content=content)).values == [1.5, -2.0]
        assert decode_tensor(typed).values == [1.5, -2.0]


def test_the_last_value_stands_for_the_rest():
    assert decode_tensor(tensor("DT_FLOAT", [2, 2], float_val=[0.5])).values == [0.5] * 4
    assert decode_tensor(tensor("DT_INT32", [3], int_val=[1, 2])).values == [1, 2, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        tensor("DT_FLOAT", [3]),
        tensor("DT_FLOAT", [1], float_val=[1.0, 2.0]),
        tensor("DT_FLOAT", [1 << 31, 1 << 31], float_val=[1.0]),
        tensor("DT_STRING", [(1 << 20) + 1], string_val=[b"a"]),
        tensor("DT_FLOAT", [2], tensor_content=b"12345"),
        tensor("DT_FLOAT", [-1], float_val=[1.0]),
        tensor("DT_STRING", [1], tensor_content=b"1"),
        tensor("DT_COMPLEX64", [0]),
        TensorProto(dtype=99),
    ],
)
def test_what_is_no_tensor_is_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        decode_tensor(wrong)


@settings(deadline=None)
@given(
    dtype=st.integers(0, 30),
    shape=st.lists(st.integers(-1, 4) | st.just(1 << 40), max_size=3),
    content=st.binary(max_size=33),
    values=st.lists(st.integers(-128, 127), max_size=5),
)
def test_anything_is_a_tensor_or_a_value_error(dtype, shape, content, values):
    made = TensorProto(dtype=dtype, tensor_content=content, int_val=values, float_val=values, int64_val=values)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    with contextlib.suppress(ValueError):
        found = decode_tensor(made)
        assert len(found.values) == math.prod(found.shape)


def test_dtypes_have_names():
    assert (dtype_name(7), dtype_name(99)) == ("DT_STRING", "dtype 99")
