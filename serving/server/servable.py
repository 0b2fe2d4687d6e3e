"""A loaded version: a SavedModel in a session, its signatures, and their runs."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import grpc
import numpy as np
import tensorflow as tf

# Registers the ops that text encoders are made of, as the real server has them linked in.
import tensorflow_text  # noqa: F401
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving.server.errors import ServingError, error_from_number, invalid_argument, not_found
from serving.server.tensors import dtype_name

tf.get_logger().setLevel("ERROR")

_CALLERS_THREAD = -1
_MAX_TIMEOUT_MS = 2**31 - 1
_Call: TypeAlias = Callable[..., Sequence[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class LoadOptions:
    """The options of loading a version.

    By default a request is computed in its own thread and in no other: many requests fill the cores all the same, and
    a single row, which is at most a millisecond's work, waits for no thread to wake up.
    """

    tags: tuple[str, ...] = ("serve",)
    intra_op_threads: int = 1
    """Threads within an op."""
    inter_op_threads: int = 0
    """Ops at a time; 0 for one, in the request's own thread."""


class Servable:
    """A loaded version, which many threads can run at once.

    Attributes:
      name: the model's name.
      version: its number.
      signatures: SignatureDef by name.
    """

    def __init__(self, name: str, version: int, path: Path, options: LoadOptions = LoadOptions()):
        """Loads the SavedModel.

        Raises:
          ServingError: it cannot be loaded.
        """
        self.name, self.version = name, version
        if not ((path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file()):
            raise not_found(
                f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
                "Check that the directory exists and that you have the right permissions for accessing it."
            )
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=options.intra_op_threads,
            inter_op_parallelism_threads=options.inter_op_threads,
        )
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        self._own_thread = not options.inter_op_threads
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], _Call] = {}
        self._lock = threading.Lock()
        try:
            with graph.as_default():
                loaded = tf.compat.v1.saved_model.load(self._session, list(options.tags), str(path))
        except Exception as error:
            self._session.close()
            raise _load_error(error) from error
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = dict(loaded.signature_def)

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        infos: Mapping[str, meta_graph_pb2.TensorInfo],
        fetches: Sequence[str],
        timeout_ms: int = 0,
    ) -> list[np.ndarray]:
        """Computes tensors.

        Args:
          feeds: array by the alias of the input.
          infos: the signature's input by alias, as wide as `feeds`.
          fetches: names of tensors, any of them more than once.
          timeout_ms: stops the computation then, with DEADLINE_EXCEEDED; 0 for never.

        Returns:
          One array a fetch.

        Raises:
          ServingError: an array has another type than the input, or the model failed.
        """
        aliases = sorted(feeds, key=lambda alias: infos[alias].name)
        for index, alias in enumerate(aliases):
            _check_dtype(index, infos[alias].dtype, feeds[alias])
        names = tuple(infos[alias].name for alias in aliases)
        wanted = tuple(dict.fromkeys(fetches))
        arrays = [feeds[alias] for alias in aliases]
        try:
            if timeout_ms:
                # What runs in the caller's thread cannot be stopped; and a callable has one timeout for ever.
                stop = config_pb2.RunOptions(timeout_in_ms=min(timeout_ms, _MAX_TIMEOUT_MS))
                outputs = self._session.run(list(wanted), dict(zip(names, arrays, strict=True)), options=stop)
            else:
                call = self._callables.get((names, wanted)) or self._make_callable(names, wanted)
                outputs = call(*arrays)
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise _run_error(error) from error
        except ValueError as error:
            raise invalid_argument(str(error)) from error  # a shape that the graph excludes
        return list(outputs) if len(wanted) == len(fetches) else [outputs[wanted.index(name)] for name in fetches]

    def close(self) -> None:
        """Frees the model; nothing may run it any more."""
        self._callables.clear()
        self._session.close()
        self._session = None
        _release_memory()

    def _make_callable(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> _Call:
        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        if self._own_thread:
            options.run_options.inter_op_thread_pool = _CALLERS_THREAD
        with self._lock:
            # Keras's own session backend relies on the method; Session.make_callable copies and checks every feed
            # in Python, which takes four times as long.
            made = self._session._make_callable_from_options(options)
            return self._callables.setdefault((feeds, fetches), made)


def _release_memory() -> None:
    """Frees unreferenced memory, and makes the C library return it.

    A TensorFlow graph is full of cycles, which only the collector frees; and glibc keeps freed memory. What stays is
    one model's size from the first swap on, when two are loaded at once: oneDNN's pool keeps the variables' buffers for
    the next version. TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1 turns the pool off, which makes large batches slower.
    """
    gc.collect()
    trim_memory()


def trim_memory() -> None:
    """Makes the C library return the memory that is free, which it keeps after large messages."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; macOS and musl do without
    if trim is not None:
        trim(0)


def _check_dtype(index: int, expected: int, array: np.ndarray) -> None:
    """Checks an input's type with the message of TF Serving's session; a callable's own message differs."""
    received = types_pb2.DT_STRING if array.dtype.hasobject else tf.dtypes.as_dtype(array.dtype).as_datatype_enum
    if received != expected:
        raise invalid_argument(
            f"Expects arg[{index}] to be {dtype_name(expected)} but {dtype_name(received)} is provided"
        )


def _run_error(error: tf.errors.OpError | UnicodeDecodeError) -> ServingError:
    if isinstance(error, UnicodeDecodeError):
        # TensorFlow quoted the request's bytes and its Python binding could not make a text of them: the message
        # is kept in the error, the code is lost, and it is the request that was wrong.
        return invalid_argument(bytes(error.object).decode("utf-8", "replace"))
    return error_from_number(error.error_code, str(error.message))


def _load_error(error: Exception) -> ServingError:
    if isinstance(error, (tf.errors.OpError, UnicodeDecodeError)):
        return _run_error(error)
    if isinstance(error, OSError):
        return not_found(str(error))
    if isinstance(error, RuntimeError) and "tags" in str(error):
        return not_found(str(error))
    return ServingError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
