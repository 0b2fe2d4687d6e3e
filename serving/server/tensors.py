"""Converts TensorProto to numpy and back, as TensorFlow's own C++ does."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.errors import invalid_argument

#: A shape may be filled by repeating the last value. A message of a few bytes must not ask for all memory that way.
_MAX_REPEATED_ELEMENTS = 2**16
#: numpy's limit of dimensions.
MAX_RANK = 64

_VALUE_FIELDS = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
    types_pb2.DT_COMPLEX64: "scomplex_val",
    types_pb2.DT_COMPLEX128: "dcomplex_val",
}

#: The dtypes whose values are read in Python when they fill the shape; TensorFlow reads the others.
_SIMPLE_DTYPES = {
    types_pb2.DT_STRING: np.dtype(object),
    types_pb2.DT_FLOAT: np.dtype(np.float32),
    types_pb2.DT_DOUBLE: np.dtype(np.float64),
    types_pb2.DT_INT32: np.dtype(np.int32),
    types_pb2.DT_INT64: np.dtype(np.int64),
    types_pb2.DT_BOOL: np.dtype(bool),
}

_BITS_16 = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)


def dtype_name(dtype: int) -> str:
    """Returns the name of a dtype as TensorFlow prints it: `float` for `DT_FLOAT`."""
    try:
        return str(types_pb2.DataType.Name(dtype)).removeprefix("DT_").lower()
    except ValueError:
        return f"unknown dtype enum ({dtype})"


def numpy_dtype(dtype: int) -> np.dtype:
    """Returns numpy's dtype for TensorFlow's; object for strings."""
    made: np.dtype = np.dtype(tf.dtypes.as_dtype(dtype).as_numpy_dtype)
    return made


def to_numpy(alias: str, tensor: tensor_pb2.TensorProto) -> np.ndarray:
    """Converts the tensor that a client sent.

    Args:
      alias: the input's name, for the message.
      tensor: as it was received.

    Raises:
      ServingError: INVALID_ARGUMENT, the tensor is malformed.
    """
    dims = [dim.size for dim in tensor.tensor_shape.dim]
    simple = _SIMPLE_DTYPES.get(tensor.dtype)
    if tensor.dtype not in _VALUE_FIELDS or any(size < 0 for size in dims) or len(dims) > MAX_RANK:
        raise invalid_argument(f"tensor parsing error: {alias}")
    values = getattr(tensor, _VALUE_FIELDS[tensor.dtype])
    size = math.prod(dims)
    whole = not tensor.tensor_content and not tensor.tensor_shape.unknown_rank and len(values) == size
    if simple is not None and whole:
        array = np.empty(size, dtype=simple) if simple.hasobject else np.fromiter(values, simple, size)
        if simple.hasobject:
            array[:] = values
        return array.reshape(dims)
    if size > _MAX_REPEATED_ELEMENTS and size > len(values) and not tensor.tensor_content:
        raise invalid_argument(f"tensor parsing error: {alias}")
    try:
        # The op runs Tensor::FromProto, which is what TF Serving reads requests with.
        parsed = tf.raw_ops.ParseTensor(serialized=tensor.SerializeToString(), out_type=tensor.dtype).numpy()
        return np.asarray(parsed, dtype=numpy_dtype(tensor.dtype))  # a scalar string is bytes, no array
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Converts an array to typed values, never to tensor_content, as TF Serving's responses have them."""
    dtype = types_pb2.DT_STRING if array.dtype.hasobject else tf.dtypes.as_dtype(array.dtype).as_datatype_enum
    tensor = tensor_pb2.TensorProto(dtype=dtype)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = array.ravel()
    if dtype in _BITS_16:
        flat = flat.view(np.uint16)
    elif np.issubdtype(flat.dtype, np.complexfloating):
        flat = flat.view(flat.real.dtype)
    getattr(tensor, _VALUE_FIELDS[dtype]).extend(flat.tolist())
    return tensor
