"""The protocol's tensors beside numpy's arrays, and what a request's must be before TensorFlow reads it."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np

from serving.protocol.messages import DataType, TensorProto
from serving.server.errors import invalid_argument

#: A shape may be filled by repeating the last value. A message of a few bytes must not ask for all memory that way.
_MAX_REPEATED_ELEMENTS = 2**16
#: numpy's limit of dimensions.
MAX_RANK = 64

# name: numpy's dtype, the field of typed values
_TYPES: dict[str, tuple[type, str]] = {
    "DT_FLOAT": (np.float32, "float_val"),
    "DT_DOUBLE": (np.float64, "double_val"),
    "DT_INT32": (np.int32, "int_val"),
    "DT_INT16": (np.int16, "int_val"),
    "DT_INT8": (np.int8, "int_val"),
    "DT_UINT8": (np.uint8, "int_val"),
    "DT_UINT16": (np.uint16, "int_val"),
    "DT_UINT32": (np.uint32, "uint32_val"),
    "DT_UINT64": (np.uint64, "uint64_val"),
    "DT_INT64": (np.int64, "int64_val"),
    "DT_BOOL": (np.bool_, "bool_val"),
    "DT_STRING": (np.object_, "string_val"),
    "DT_HALF": (np.float16, "half_val"),
    "DT_BFLOAT16": (ml_dtypes.bfloat16, "half_val"),
    "DT_COMPLEX64": (np.complex64, "scomplex_val"),
    "DT_COMPLEX128": (np.complex128, "dcomplex_val"),
}

NUMPY_DTYPES: dict[int, np.dtype] = {DataType[name].number: np.dtype(kind) for name, (kind, _) in _TYPES.items()}
"""By the number of the protocol's dtype; object for strings."""
FLOAT, STRING = DataType["DT_FLOAT"].number, DataType["DT_STRING"].number

_FIELDS = {DataType[name].number: field for name, (_, field) in _TYPES.items()}
_NUMBERS = {dtype: number for number, dtype in NUMPY_DTYPES.items()}
_NAMES = {value.number: name for name, value in DataType.items()}


def dtype_name(dtype: int) -> str:
    """Returns the name of a dtype as TensorFlow prints it: `float` for `DT_FLOAT`."""
    return _NAMES[dtype].removeprefix("DT_").lower() if dtype in _NAMES else f"unknown dtype enum ({dtype})"


def check_tensor(alias: str, tensor: TensorProto) -> None:
    """Checks the tensor that a client sent, as far as TensorFlow does not when it reads it.

    Args:
      alias: the input's name, for the message.
      tensor: as it was received.

    Raises:
      ServingError: INVALID_ARGUMENT, it has a type without values or an unknown size, or asks for much more memory
        than it has values for.
    """
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype not in _FIELDS or any(size < 0 for size in sizes) or len(sizes) > MAX_RANK:
        raise invalid_argument(f"tensor parsing error: {alias}")
    size, sent = math.prod(sizes), len(getattr(tensor, _FIELDS[tensor.dtype]))
    if size > _MAX_REPEATED_ELEMENTS and size > sent and not tensor.tensor_content:
        raise invalid_argument(f"tensor parsing error: {alias}")


def to_proto(array: np.ndarray) -> TensorProto:
    """Converts an array to typed values, never to tensor_content, as TF Serving's responses have them."""
    dtype = _NUMBERS[array.dtype]
    tensor = TensorProto(dtype=dtype)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = array.ravel()
    field = _FIELDS[dtype]
    if field == "half_val":
        flat = flat.view(np.uint16)
    elif np.issubdtype(flat.dtype, np.complexfloating):
        flat = flat.view(flat.real.dtype)
    getattr(tensor, field).extend(flat.tolist())
    return tensor
