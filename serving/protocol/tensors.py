"""Converts the protocol's tensors to Python's own values and back, without numpy, whose import costs 0.2 s CPU."""

from __future__ import annotations

import array
import itertools
import math
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from serving.protocol.messages import DataType, TensorProto

# dtype: the field of typed values, the code of the array and struct modules
_TYPES = {
    "DT_FLOAT": ("float_val", "f"),
    "DT_DOUBLE": ("double_val", "d"),
    "DT_HALF": ("half_val", "e"),
    "DT_BFLOAT16": ("half_val", ""),
    "DT_INT32": ("int_val", "i"),
    "DT_INT16": ("int_val", "h"),
    "DT_INT8": ("int_val", "b"),
    "DT_UINT8": ("int_val", "B"),
    "DT_UINT16": ("int_val", "H"),
    "DT_INT64": ("int64_val", "q"),
    "DT_UINT32": ("uint32_val", "I"),
    "DT_UINT64": ("uint64_val", "Q"),
    "DT_BOOL": ("bool_val", "?"),
    "DT_STRING": ("string_val", ""),
}
_MAX_REPEATED = 1 << 20  # a few bytes must not become gigabytes
_NAMES = {value.number: name for name, value in DataType.items()}


class Tensor(NamedTuple):
    """A decoded tensor."""

    dtype: str
    """E.g. `DT_FLOAT`."""
    shape: tuple[int, ...]
    values: Sequence[bytes | float]
    """In row-major order."""


def string_tensor(values: Iterable[bytes]) -> TensorProto:
    """Makes a TensorProto of DT_STRING and shape [n]."""
    tensor = TensorProto(dtype=DataType["DT_STRING"].number)
    tensor.string_val.extend(values)
    tensor.tensor_shape.dim.add(size=len(tensor.string_val))
    return tensor


def float_tensor(values: Iterable[float], shape: tuple[int, ...]) -> TensorProto:
    """Makes a TensorProto of DT_FLOAT."""
    tensor = TensorProto(dtype=DataType["DT_FLOAT"].number)
    tensor.float_val.extend(values)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def decode_tensor(tensor: TensorProto) -> Tensor:
    """Decodes a TensorProto, which holds typed values, raw content, or one value for all.

    Raises:
      ValueError: the dtype is not one of numbers, booleans or strings, or the values do not fill the shape.
    """
    dtype = dtype_name(tensor.dtype)
    if dtype not in _TYPES:
        raise ValueError(f"A tensor must be of {', '.join(_TYPES)}. Received: {dtype}.")
    field, code = _TYPES[dtype]
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    count = math.prod(shape)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("A tensor's shape must be known. Received: one with an unknown axis or rank.")
    values: Sequence[bytes | float]
    values = _content(tensor.tensor_content, dtype, code) if tensor.tensor_content else _typed(tensor, dtype, field)
    if 0 < len(values) < count <= _MAX_REPEATED:  # the last value stands for all that follow
        values = [*values, *itertools.repeat(values[-1], count - len(values))]
    if len(values) != count:
        raise ValueError(f"A tensor's values must fill its shape. Received: {len(values)} values for {list(shape)}.")
    return Tensor(dtype, shape, values)


def dtype_name(number: int) -> str:
    """Returns the name of a dtype by its number, e.g. `DT_STRING` for 7."""
    return _NAMES.get(number, f"dtype {number}")


def _typed(tensor: TensorProto, dtype: str, field: str) -> Sequence[bytes | float]:
    values = list(getattr(tensor, field))
    if dtype == "DT_HALF":
        return [struct.unpack("<e", struct.pack("<H", value))[0] for value in values]
    return _from_bfloat16(values) if dtype == "DT_BFLOAT16" else values


def _content(content: bytes, dtype: str, code: str) -> list[float]:
    if dtype == "DT_STRING":
        raise ValueError("A tensor of strings must have them in string_val. Received: tensor_content.")
    if dtype == "DT_BFLOAT16":
        return _from_bfloat16(struct.unpack(f"<{len(content) // 2}H", _whole(content, "H")))
    if code in "e?":
        return list(struct.unpack(f"<{len(content) // struct.calcsize(code)}{code}", _whole(content, code)))
    return _array(code, content).tolist()


def _array(code: str, content: bytes) -> array.array[float]:
    values: array.array[float] = array.array(code, _whole(content, code))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _whole(content: bytes, code: str) -> bytes:
    size = struct.calcsize(code)
    if len(content) % size:
        raise ValueError(f"A tensor's content must be whole values of {size} bytes. Received: {len(content)} bytes.")
    return content


def _from_bfloat16(values: Iterable[int]) -> list[float]:
    """Reads bfloat16, which is the upper half of a float32."""
    return [struct.unpack("<f", struct.pack("<I", value << 16))[0] for value in values]
