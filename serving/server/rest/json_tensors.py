"""Converts JSON to tensors and back, in the two forms of the REST API: by row (`instances`) and column (`inputs`)."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import TypeGuard, TypeVar

import grpc
import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.json_value import JsonObject, JsonValue
from serving.server.errors import ServingError, invalid_argument
from serving.server.rest.json_text import debug_text, decode_base64, is_base64, text_bytes, type_name
from serving.server.tensors import dtype_name, numpy_dtype

_Leaf = TypeVar("_Leaf", bytes, float)

_INT_RANGES = {
    types_pb2.DT_INT32: (-(2**31), 2**31),
    types_pb2.DT_INT16: (-(2**31), 2**31),
    types_pb2.DT_INT8: (-(2**31), 2**31),
    types_pb2.DT_UINT8: (-(2**31), 2**31),
    types_pb2.DT_INT64: (-(2**63), 2**63),
    types_pb2.DT_UINT32: (0, 2**32),
    types_pb2.DT_UINT64: (0, 2**64),
}


def read_rows(rows: list[JsonValue], infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, np.ndarray]:
    """Returns the tensors of `instances`: one element a row, an object by input or, with one input, the bare value.

    Raises:
      ServingError: INVALID_ARGUMENT, naming the element.
    """
    names = sorted(infos)
    if not isinstance(rows[0], dict) and len(names) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map"
        )
    named = _is_plain_object(rows[0])
    columns: dict[str, _Column] = {}
    for index, row in enumerate(rows):
        if named != _is_plain_object(row):
            kinds = ("object", "list") if named else ("value/list", "object")
            raise invalid_argument(f"Expecting {kinds[0]} but got {kinds[1]} at item {index} of input list")
        members = row if named and isinstance(row, dict) else {names[0]: row}
        for name, value in members.items():
            try:
                if name not in infos:
                    raise invalid_argument(f"JSON object: does not have named input: {name}")
                columns.setdefault(name, _Column(infos[name].dtype)).add(value)
            except ServingError as error:
                key = f" key: {name}" if named else ""
                raise invalid_argument(
                    f"Failed to process element: {index}{key} of 'instances' list. Error: {error.status_text}"
                ) from error
        if named and set(members) != set(names):
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: {debug_text(row)} "
                f"keys must be equal to: {','.join(names)}"
            )
    return {name: column.array(len(rows)) for name, column in columns.items()}


def read_columns(value: JsonValue, infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, np.ndarray]:
    """Returns the tensors of `inputs`: an object by input or, with one input, the bare value.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    names = sorted(infos)
    if not _is_plain_object(value) and len(names) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required "
            "as per tensorinfo_map"
        )
    members = value if _is_plain_object(value) else {names[0]: value}
    arrays = {}
    for name in names:
        if name not in members:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        column = _Column(infos[name].dtype)
        column.add(members[name])
        arrays[name] = column.array(None)
    return arrays


def rows_to_json(outputs: Mapping[str, np.ndarray]) -> JsonObject:
    """Returns `predictions`: one element a row.

    Raises:
      ServingError: the outputs are no rows of one batch.
    """
    batch = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch is not None and len(array) != batch:
            raise invalid_argument(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {batch}")
        batch = len(array)
    values = {name: _values(name, array) for name, array in outputs.items()}
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    return {"predictions": [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]}


def columns_to_json(outputs: Mapping[str, np.ndarray]) -> JsonObject:
    """Returns `outputs`: whole tensors."""
    values = {name: _values(name, array) for name, array in outputs.items()}
    return {"outputs": next(iter(values.values())) if len(values) == 1 else values}


def shortest(value: float) -> float:
    """Returns a float32 as its shortest decimal number: 0.2, not 0.20000000298."""
    short = float(f"{value:.6g}")
    return short if np.float32(short) == value or math.isnan(value) else float(f"{value:.9g}")


class _Column:
    """A collector of one input's values, row by row, and of the shape that all rows share."""

    def __init__(self, dtype: int):
        self._dtype = dtype
        self._shape: list[int] | None = None
        self._flat: list[bytes | float] = []

    def add(self, value: JsonValue) -> None:
        shape = _shape_of(value)
        before = len(self._flat)
        self._fill(value, 0, shape)
        if self._shape is None:
            self._shape = shape
        elif shape != self._shape:
            size, expected = len(self._flat) - before, math.prod(self._shape)
            if size != expected:
                raise invalid_argument(f"Expecting tensor size: {expected} but got: {size}")
            raise invalid_argument(f"Expecting shape {_shape_text(self._shape)} but got: {_shape_text(shape)}")

    def array(self, rows: int | None) -> np.ndarray:
        shape = ([] if rows is None else [rows]) + (self._shape or [])
        if self._dtype == types_pb2.DT_STRING:
            array = np.empty(len(self._flat), dtype=object)
            array[:] = self._flat
            return array.reshape(shape)
        wide = np.int32 if _INT_RANGES.get(self._dtype, (0, 0))[1] == 2**31 else numpy_dtype(self._dtype)
        with np.errstate(over="ignore"):
            return np.array(self._flat, dtype=wide).astype(numpy_dtype(self._dtype)).reshape(shape)

    def _fill(self, value: JsonValue, level: int, shape: list[int]) -> None:
        if not isinstance(value, list):
            if level != len(shape):
                raise invalid_argument(
                    f"JSON Value: {debug_text(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape)}"
                )
            self._flat.append(_leaf(value, self._dtype))
            return
        if level >= len(shape):
            raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            raise invalid_argument(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
            )
        for element in value:
            self._fill(element, level + 1, shape)


def _leaf(value: JsonValue, dtype: int) -> bytes | float:
    if dtype == types_pb2.DT_STRING:
        if isinstance(value, str):
            return text_bytes(value)
        if isinstance(value, dict):
            return decode_base64(value)
    elif dtype in (types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif dtype == types_pb2.DT_BOOL:
        if isinstance(value, bool):
            return value
    elif dtype in _INT_RANGES:
        low, high = _INT_RANGES[dtype]
        if isinstance(value, int) and not isinstance(value, bool) and low <= value < high:
            return value
    else:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value: {debug_text(value)} to type: {dtype_name(dtype)}"
        )
    raise invalid_argument(
        f"JSON Value: {debug_text(value)} Type: {type_name(value)} is not of expected type: {dtype_name(dtype)}"
    )


def _is_plain_object(value: JsonValue) -> TypeGuard[JsonObject]:
    return isinstance(value, dict) and not is_base64(value)


def _shape_of(value: JsonValue) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _shape_text(shape: list[int]) -> str:
    return f"[{','.join(str(size) for size in shape)}]"


def _values(name: str, array: np.ndarray) -> JsonValue:
    if array.dtype.hasobject:
        return _written(array, _as_base64) if name.endswith("_bytes") else _written(array, _as_text)
    if array.dtype == np.float32:
        return _written(array, shortest)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize * 8 not in (8, 32, 64) + (16,) * (
        array.dtype.kind == "i"
    ):
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    values: JsonValue = array.tolist()
    return values


def _written(array: np.ndarray, write: Callable[[_Leaf], JsonValue]) -> JsonValue:
    values: JsonValue = np.asarray(np.frompyfunc(write, 1, 1)(array), object).tolist()
    return values


def _as_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _as_base64(value: bytes) -> JsonValue:
    return {"b64": base64.b64encode(value).decode()}
