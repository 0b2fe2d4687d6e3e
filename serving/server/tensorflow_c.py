"""TensorFlow's C API, as far as a server needs it: a SavedModel in a session, fed with protos, fetched as arrays.

TensorFlow's Python package is not imported: that takes ten times as long as to load its libraries, and 0.35 GB more.
Functions and their ownership of memory: tensorflow/c/c_api.h, tf_tensor.h and tf_tstring.h of the installed TensorFlow.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from serving.protocol.messages import ConfigProto, MetaGraphDef, RunOptions, TensorProto
from serving.server.errors import ServingError, error_from_number, failed_precondition, invalid_argument
from serving.server.tensors import FLOAT, NUMPY_DTYPES, STRING, dtype_name

_STRING_BYTES = 24  # of a TF_TString


class _Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p)]


class _Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


_Buffers, _Outputs, _Pointers = ctypes.POINTER(_Buffer), ctypes.POINTER(_Output), ctypes.POINTER(c_void_p)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The package {name} must be installed. Received: none. Type `make setup`.")
    return Path(spec.origin).parent


def _open(*names: str) -> list[ctypes.CDLL]:
    ending = ".2.dylib" if sys.platform == "darwin" else ".so.2"
    return [ctypes.CDLL(str(_package("tensorflow") / f"{name}{ending}")) for name in names]


_LIBRARIES = _open("libtensorflow_framework", "libtensorflow_cc")


def _function(name: str, result: type | None, *arguments: type) -> Callable[..., Any]:
    function = next(getattr(library, name) for library in _LIBRARIES if hasattr(library, name))
    function.restype, function.argtypes = result, arguments
    found: Callable[..., Any] = function
    return found


_new_status = _function("TF_NewStatus", c_void_p)
_delete_status = _function("TF_DeleteStatus", None, c_void_p)
_get_code = _function("TF_GetCode", c_int, c_void_p)
_message = _function("TF_Message", c_char_p, c_void_p)
_new_buffer = _function("TF_NewBuffer", _Buffers)
_copy_to_buffer = _function("TF_NewBufferFromString", _Buffers, c_char_p, c_size_t)
_delete_buffer = _function("TF_DeleteBuffer", None, _Buffers)
_load_library = _function("TF_LoadLibrary", c_void_p, c_char_p, c_void_p)
_new_options = _function("TF_NewSessionOptions", c_void_p)
_set_config = _function("TF_SetConfig", None, c_void_p, c_char_p, c_size_t, c_void_p)
_delete_options = _function("TF_DeleteSessionOptions", None, c_void_p)
_new_graph = _function("TF_NewGraph", c_void_p)
_delete_graph = _function("TF_DeleteGraph", None, c_void_p)
_operation = _function("TF_GraphOperationByName", c_void_p, c_void_p, c_char_p)
_count_outputs = _function("TF_OperationNumOutputs", c_int, c_void_p)
_load_session = _function(
    "TF_LoadSessionFromSavedModel",
    c_void_p,
    *(c_void_p, c_void_p, c_char_p, ctypes.POINTER(c_char_p), c_int, c_void_p, _Buffers, c_void_p),
)
_run_session = _function(
    "TF_SessionRun",
    None,
    *(c_void_p, _Buffers, _Outputs, _Pointers, c_int, _Outputs, _Pointers, c_int, c_void_p, c_int, c_void_p, c_void_p),
)
_close_session = _function("TF_CloseSession", None, c_void_p, c_void_p)
_delete_session = _function("TF_DeleteSession", None, c_void_p, c_void_p)
_allocate_tensor = _function("TF_AllocateTensor", c_void_p, c_int, ctypes.POINTER(c_int64), c_int, c_size_t)
_read_proto = _function("TF_TensorFromProto", None, _Buffers, c_void_p, c_void_p)
_delete_tensor = _function("TF_DeleteTensor", None, c_void_p)
_dtype = _function("TF_TensorType", c_int, c_void_p)
_rank = _function("TF_NumDims", c_int, c_void_p)
_size = _function("TF_Dim", c_int64, c_void_p, c_int)
_bytes = _function("TF_TensorByteSize", c_size_t, c_void_p)
_data = _function("TF_TensorData", c_void_p, c_void_p)
_string_data = _function("TF_StringGetDataPointer", c_void_p, c_void_p)
_string_size = _function("TF_StringGetSize", c_size_t, c_void_p)


@contextlib.contextmanager
def _status() -> Iterator[int]:
    """Yields a TF_Status.

    Raises:
      ServingError: it is not OK at the end.
    """
    status = _new_status()
    try:
        yield status
        if code := _get_code(status):
            raise error_from_number(code, _message(status).decode("utf-8", "replace"))
    finally:
        _delete_status(status)


@contextlib.contextmanager
def _buffer(content: bytes) -> Iterator[ctypes._Pointer[_Buffer]]:
    buffer = _copy_to_buffer(content, len(content)) if content else _new_buffer()
    try:
        yield buffer
    finally:
        _delete_buffer(buffer)


def _load_text_ops() -> None:
    """Registers the ops that text encoders are made of, as the real server has them linked in."""
    for library in sorted((_package("tensorflow_text") / "python" / "ops").glob("*.so")):
        with _status() as status:
            _load_library(bytes(library), status)


_load_text_ops()


class Session:
    """A SavedModel that is loaded, which many threads can run at once.

    Args:
      path: the SavedModel's folder.
      tags: of the graph in it.
      config: of the session.

    Attributes:
      meta_graph: what the SavedModel says of itself.

    Raises:
      ServingError: it cannot be loaded.
    """

    def __init__(self, path: Path, tags: Sequence[str], config: ConfigProto):
        self._graph = _new_graph()
        options = _new_options()
        try:
            content = config.SerializeToString()
            with _status() as status:
                _set_config(options, content, len(content), status)
            names = (c_char_p * len(tags))(*(tag.encode() for tag in tags))
            with _buffer(b"") as found, _status() as status:
                self._session = _load_session(options, None, bytes(path), names, len(tags), self._graph, found, status)
                self.meta_graph = MetaGraphDef.FromString(_content(found.contents.data, found.contents.length))
        except BaseException:
            _delete_graph(self._graph)
            raise
        finally:
            _delete_options(options)

    def run(self, feeds: Mapping[str, int], fetches: Sequence[str], timeout_ms: int = 0) -> list[np.ndarray]:
        """Computes tensors.

        Args:
          feeds: tensors that `read_tensors` made, by the name in the graph, e.g. `title:0`.
          fetches: names in the graph, each once.
          timeout_ms: stops the computation then; 0 for never.

        Raises:
          ServingError: a name is not in the graph, or the model failed, with TensorFlow's status.
        """
        inputs = (_Output * len(feeds))(*map(self._find, feeds))
        tensors = (c_void_p * len(feeds))(*feeds.values())
        outputs = (_Output * len(fetches))(*map(self._find, fetches))
        made = (c_void_p * len(fetches))()
        run_options = RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
        try:
            with _buffer(run_options) as given, _status() as status:
                _run_session(
                    self._session,
                    given,
                    *(inputs, tensors, len(feeds)),
                    *(outputs, made, len(fetches)),
                    *(None, 0, None, status),
                )
            return [to_numpy(tensor) for tensor in made if tensor]
        finally:
            for tensor in filter(None, made):
                _delete_tensor(tensor)

    def close(self) -> None:
        """Frees the model; nothing may run it any more."""
        for free in (_close_session, _delete_session):
            with _status() as status:
                free(self._session, status)
        _delete_graph(self._graph)

    def _find(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        found = _operation(self._graph, operation.encode())
        if not found or int(index or 0) >= _count_outputs(found):
            raise invalid_argument(f"Tensor {name} was not found in the graph")
        return _Output(found, int(index or 0))


@contextlib.contextmanager
def read_tensors(protos: Mapping[str, TensorProto]) -> Iterator[dict[str, int]]:
    """Reads protos by TensorFlow's own Tensor::FromProto; the tensors live as long as the context.

    Args:
      protos: by any name, which the error has.

    Raises:
      ServingError: INVALID_ARGUMENT, one is malformed.
    """
    tensors: dict[str, int] = {}
    try:
        for name, proto in protos.items():
            tensors[name] = _allocate_tensor(FLOAT, None, 0, np.float32().nbytes)  # is replaced
            try:
                with _buffer(proto.SerializeToString()) as content, _status() as status:
                    _read_proto(content, tensors[name], status)
            except ServingError as error:
                raise invalid_argument(f"tensor parsing error: {name}") from error
        yield tensors
    finally:
        for tensor in tensors.values():
            _delete_tensor(tensor)


def to_numpy(tensor: int) -> np.ndarray:
    """Copies a tensor's values.

    Raises:
      ServingError: FAILED_PRECONDITION, it has none, as a resource.
    """
    dtype, shape = _dtype(tensor), [_size(tensor, axis) for axis in range(_rank(tensor))]
    if dtype not in NUMPY_DTYPES:
        raise failed_precondition(f"A tensor of {dtype_name(dtype)} has no values that can be sent")
    if not math.prod(shape):
        return np.empty(shape, NUMPY_DTYPES[dtype])  # there may be no data to ask for
    data = _data(tensor)
    if dtype != STRING:
        return np.frombuffer(_content(data, _bytes(tensor)), NUMPY_DTYPES[dtype]).reshape(shape)
    array = np.empty(math.prod(shape), object)
    for index in range(array.size):
        string = data + index * _STRING_BYTES
        array[index] = _content(_string_data(string), _string_size(string))
    return array.reshape(shape)


def _content(data: int | None, size: int) -> bytes:
    return ctypes.string_at(data, size) if data and size else b""
