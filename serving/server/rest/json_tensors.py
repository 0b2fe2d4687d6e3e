"""Converts JSON to tensors and back, in the two forms of the REST API: by row (`instances`) and column (`inputs`)."""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Mapping
from typing import TypeGuard

import grpc
import numpy as np

from serving.json_value import JsonObject, JsonValue
from serving.protocol.messages import DataType, TensorInfo
from serving.server.errors import ServingError, invalid_argument
from serving.server.tensors import FLOAT, MAX_RANK, NUMPY_DTYPES, STRING, dtype_name

#: As TF Serving does, reads small integers as int32 and casts them.
_INTEGERS = {
    DataType[name].number: dtype
    for name, dtype in {
        "DT_INT32": np.int32,
        "DT_INT16": np.int32,
        "DT_INT8": np.int32,
        "DT_UINT8": np.int32,
        "DT_INT64": np.int64,
        "DT_UINT32": np.uint32,
        "DT_UINT64": np.uint64,
    }.items()
}
_BOOL = DataType["DT_BOOL"].number
_READABLE = {STRING, FLOAT, DataType["DT_DOUBLE"].number, _BOOL, *_INTEGERS}
_WRITABLE = {"bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64"}


def parse_object(body: bytes) -> JsonObject:
    """Reads a request's body, which must be one JSON object.

    As TF Serving does, it takes a byte order mark, bytes that are no UTF-8 as they are, and NaN and Infinity. Of a name
    that comes twice, the first counts.

    Raises:
      ServingError: INVALID_ARGUMENT, it is none, or too deep.
    """
    try:
        value: JsonValue = _DECODER.decode(body.decode("utf-8-sig", "surrogateescape"))
    except RecursionError as error:
        raise invalid_argument("JSON Parse error: the document is nested too deeply") from error
    except ValueError as error:
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(value, dict):
        raise invalid_argument("JSON Value: Is not object")
    return value


def read_rows(rows: list[JsonValue], infos: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Returns the tensors of `instances`: one element a row, an object by input or, with one input, the bare value.

    Raises:
      ServingError: INVALID_ARGUMENT, naming the input or the row.
    """
    named = _is_object(rows[0])
    for index, row in enumerate(rows):
        if _is_object(row) != named:
            raise invalid_argument(f"Failed to process element: {index} of 'instances' list: rows must be of one kind")
        if _is_object(row) and set(row) != set(infos):
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list: keys must be equal to: {_join(infos)}"
            )
    if not named:
        return _read_only(rows, infos)
    return {
        name: _read(name, [row[name] for row in rows if _is_object(row)], info.dtype) for name, info in infos.items()
    }


def read_columns(value: JsonValue, infos: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Returns the tensors of `inputs`: an object by input or, with one input, the bare value.

    Raises:
      ServingError: INVALID_ARGUMENT, naming the input.
    """
    if not _is_object(value):
        return _read_only(value, infos)
    missing = set(infos) - set(value)
    if missing:
        raise invalid_argument(f"Missing named input: {_join(missing)} in 'inputs' object.")
    return {name: _read(name, value[name], info.dtype) for name, info in infos.items()}


def rows_to_json(outputs: Mapping[str, np.ndarray]) -> JsonObject:
    """Returns `predictions`: one element a row.

    Raises:
      ServingError: the outputs are no rows of one batch.
    """
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
    if len({len(array) for array in outputs.values()}) > 1:
        raise invalid_argument(f"The outputs have inconsistent batch sizes: {_join(outputs)}")
    values = {name: _write(name, array) for name, array in outputs.items()}
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    return {"predictions": [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]}


def columns_to_json(outputs: Mapping[str, np.ndarray]) -> JsonObject:
    """Returns `outputs`: whole tensors."""
    values = {name: _write(name, array) for name, array in outputs.items()}
    return {"outputs": next(iter(values.values())) if len(values) == 1 else values}


def to_body(value: JsonValue) -> bytes:
    """Returns the body of a response. Strings of a model that are not UTF-8 are sent as they are."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _read_only(value: JsonValue, infos: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    if len(infos) > 1:
        raise invalid_argument(f"Values must be given by input, in objects with the keys {_join(infos)}")
    ((name, info),) = infos.items()
    return {name: _read(name, value, info.dtype)}


def _read(name: str, value: JsonValue, dtype: int) -> np.ndarray:
    if dtype not in _READABLE:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value to type: {dtype_name(dtype)} of input: {name}"
        )
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        rows = [element for element in level if isinstance(element, list)]
        if len(rows) < len(level) or len({len(row) for row in rows}) > 1 or len(shape) == MAX_RANK:
            raise invalid_argument(f"The lists of input: {name} must have one shape, of at most {MAX_RANK} levels")
        shape.append(len(rows[0]))
        level = list(itertools.chain.from_iterable(rows))
    try:
        if dtype == STRING:
            array = np.empty(len(level), dtype=object)
            array[:] = [_string(element) for element in level]
            return array.reshape(shape)
        if dtype == _BOOL:
            allowed: set[type] = {bool}
        else:
            allowed = {int} if dtype in _INTEGERS else {int, float}
        if not {type(element) for element in level} <= allowed:
            raise TypeError("another JSON type")
        with np.errstate(over="ignore"):
            numbers = np.array(level, dtype=_INTEGERS.get(dtype, NUMPY_DTYPES[dtype]))
            return numbers.astype(NUMPY_DTYPES[dtype], copy=False).reshape(shape)
    except (TypeError, OverflowError, ValueError) as error:
        raise invalid_argument(
            f"JSON Value of input: {name} is not of expected type: {dtype_name(dtype)}: {error}"
        ) from error


def _string(value: JsonValue) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # half a surrogate pair: TF Serving takes a second half alone, and no first one
            if any("\ud800" <= character < "\udc00" for character in value):
                raise
            return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and _is_base64(value):
        encoded = "".join(str(value["b64"]).split()).rstrip("=")
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    raise TypeError("another JSON type")


def _write(name: str, array: np.ndarray) -> JsonValue:
    values: JsonValue
    if array.dtype.hasobject:
        write = _as_base64 if name.endswith("_bytes") else _as_text
        values = np.asarray(np.frompyfunc(write, 1, 1)(array), object).tolist()
    elif array.dtype.name not in _WRITABLE:
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    elif array.dtype == np.float32:
        values = array.astype(np.str_).astype(np.float64).tolist()  # 0.2, not 0.20000000298
    else:
        values = array.tolist()
    return values


def _as_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _as_base64(value: bytes) -> JsonValue:
    return {"b64": base64.b64encode(value).decode()}


def _is_base64(value: JsonObject) -> bool:
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _is_object(value: JsonValue) -> TypeGuard[JsonObject]:
    return isinstance(value, dict) and not _is_base64(value)


def _join(names: Mapping[str, object] | set[str]) -> str:
    return ",".join(sorted(names))


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("Number too big to be stored in double.")
    return value


def _first_wins(members: list[tuple[str, JsonValue]]) -> JsonObject:
    return dict(reversed(members))


_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins, parse_float=_finite)
