"""TensorProto as TensorFlow itself reads it: its ParseTensor op, which is C++'s Tensor::FromProto, is the judge."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.errors import ServingError
from serving.server.tensorflow_c import read_tensors, to_numpy
from serving.server.tensors import check_tensor, dtype_name, to_proto

_VALUES = {
    types_pb2.DT_FLOAT: ("float_val", st.floats(width=32)),
    types_pb2.DT_DOUBLE: ("double_val", st.floats()),
    types_pb2.DT_STRING: ("string_val", st.binary(max_size=8)),
    types_pb2.DT_INT32: ("int_val", st.integers(-(2**31), 2**31 - 1)),
    types_pb2.DT_UINT8: ("int_val", st.integers(0, 255)),
    types_pb2.DT_INT64: ("int64_val", st.integers(-(2**63), 2**63 - 1)),
    types_pb2.DT_BOOL: ("bool_val", st.booleans()),
}


def read(tensor):
    """The array of the tensor as the server reads it."""
    check_tensor("title", tensor)
    with read_tensors({"title": tensor}) as tensors:
        return to_numpy(tensors["title"])


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from(sorted(_VALUES)))
    field, values = _VALUES[dtype]
    tensor = tensor_pb2.TensorProto(dtype=dtype)
    for size in draw(st.lists(st.integers(-1, 4), max_size=3)):
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, field).extend(draw(st.lists(values, max_size=10)))
    if draw(st.integers(0, 5)) == 0:
        tensor.tensor_content = draw(st.binary(max_size=20))
    if draw(st.integers(0, 9)) == 0:
        tensor.tensor_shape.unknown_rank = True
    return tensor


@settings(max_examples=300, deadline=None)
@given(tensors())
@example(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[b"\0"], tensor_shape={"unknown_rank": True}))
def test_as_tensorflow_reads_it(tensor):
    try:
        expected = tf.raw_ops.ParseTensor(serialized=tensor.SerializeToString(), out_type=tensor.dtype).numpy()
    except tf.errors.InvalidArgumentError:
        with pytest.raises(ServingError, match="^tensor parsing error: title$"):
            read(tensor)
        return
    array = read(tensor)
    # With a dtype: of bytes alone numpy drops the NULs at their end.
    np.testing.assert_array_equal(array, np.asarray(expected, array.dtype))
    assert isinstance(array, np.ndarray) and array.shape == np.shape(expected)


def test_a_scalar_string_without_a_value():
    array = read(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING))
    assert (array.dtype, array.shape, array.item()) == (object, (), b"")


@pytest.mark.parametrize("dtype", [0, 999, types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT, types_pb2.DT_FLOAT_REF])
def test_no_readable_type(dtype):
    with pytest.raises(ServingError, match="tensor parsing error: title"):
        read(tensor_pb2.TensorProto(dtype=dtype))


@pytest.mark.parametrize(
    ("dtype", "size"), [(types_pb2.DT_FLOAT, 2**33), (types_pb2.DT_FLOAT, 2**16 + 1), (types_pb2.DT_STRING, 2**20)]
)
def test_a_few_bytes_cannot_ask_for_all_memory(dtype, size):
    tensor = tensor_pb2.TensorProto(dtype=dtype, float_val=[1.0], string_val=[b"a"])
    tensor.tensor_shape.dim.add(size=size)
    with pytest.raises(ServingError, match="tensor parsing error: title"):
        read(tensor)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[b"a"], [b"\xff\x00"]], dtype=object),
        np.zeros([0, 1], np.float32),
        np.array(2.5, np.float64),
        np.array([1, -1], np.float16),
        tf.constant([1.5], tf.bfloat16).numpy(),
        np.array([1 + 2j, 0], np.complex64),
        np.array([[True, False]]),
        *(
            np.array([0, 100], kind)
            for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
        ),
    ],
    ids=lambda array: str(array.dtype),
)
def test_written_as_typed_values(array):
    tensor = to_proto(array)
    assert not tensor.tensor_content
    np.testing.assert_array_equal(tf.make_ndarray(tensor), array)
    np.testing.assert_array_equal(read(tensor), array)


def test_names_of_types():
    assert [dtype_name(number) for number in (1, 2, 7, 9, 10)] == ["float", "double", "string", "int64", "bool"]
