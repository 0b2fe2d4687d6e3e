"""A loaded version: a SavedModel in a session, its signatures, and their runs."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from serving.protocol.messages import ConfigProto, SignatureDef, TensorInfo, TensorProto
from serving.protocol.tensors import string_tensor
from serving.server.errors import deadline_exceeded, invalid_argument, not_found
from serving.server.joined_calls import MAX_ROWS_OF_CALL, JoinedCalls
from serving.server.tensorflow_c import Session, read_tensors
from serving.server.tensors import STRING, check_tensor, dtype_name

_MAX_TIMEOUT_MS = 2**31 - 1
#: Each takes memory for what it computes: 512 headlines some 100 MB.
_COMPUTATIONS_A_CORE = 4
_FEWEST_TO_LEARN_FROM = 2
#: Rounding differs with the number of rows.
_SAME_WITHIN = 1e-5


@dataclasses.dataclass(frozen=True)
class LoadOptions:
    """The options of loading a version.

    By default the ops of all requests share one thread a core, each op in one: requests fill the cores all the same,
    and a small op waits for no other thread.
    """

    tags: tuple[str, ...] = ("serve",)
    intra_op_threads: int = 1
    """Threads within an op."""
    inter_op_threads: int = os.cpu_count() or 1
    """Ops at a time."""


class Servable:
    """A loaded version, which many threads can run at once.

    Attributes:
      name: the model's name.
      version: its number.
      signatures: SignatureDef by name.
      row_by_row: inputs, by their names in the graph, of which `learn_rows` knows that a row does not depend on others.
    """

    def __init__(self, name: str, version: int, path: Path, options: LoadOptions = LoadOptions()):
        """Loads the SavedModel.

        Raises:
          ServingError: it cannot be loaded, or has no variables.
        """
        self.name, self.version = name, version
        if not ((path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file()):
            raise not_found(
                f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
                "Check that the directory exists and that you have the right permissions for accessing it."
            )
        config = ConfigProto(
            intra_op_parallelism_threads=options.intra_op_threads,
            inter_op_parallelism_threads=options.inter_op_threads,
        )
        self._session = Session(path, options.tags, config)
        meta_graph = self._session.meta_graph
        if meta_graph.HasField("saver_def") and not (path / "variables" / "variables.index").is_file():
            # TensorFlow loads it all the same, and each call fails.
            self.close()
            raise not_found(f"Could not find the variables of the SavedModel at {path / 'variables'}")
        self.signatures: Mapping[str, SignatureDef] = dict(meta_graph.signature_def)
        self._at_once = options.inter_op_threads
        self._places = threading.BoundedSemaphore(_COMPUTATIONS_A_CORE * options.inter_op_threads)
        self.row_by_row: set[str] = set()
        self._joined: dict[tuple[str, tuple[str, ...]], JoinedCalls] = {}

    def run(
        self,
        feeds: Mapping[str, TensorProto],
        infos: Mapping[str, TensorInfo],
        fetches: Sequence[str],
        timeout_ms: int = 0,
    ) -> list[np.ndarray]:
        """Computes tensors.

        Args:
          feeds: tensor by the alias of the input.
          infos: the signature's input by alias, as wide as `feeds`.
          fetches: names of tensors, any of them more than once.
          timeout_ms: stops the computation then, with DEADLINE_EXCEEDED; 0 for never.

        Returns:
          One array a fetch.

        Raises:
          ServingError: a tensor is malformed or has another type than the input, or the model failed.
        """
        for alias, tensor in feeds.items():
            check_tensor(alias, tensor)
        wanted = tuple(dict.fromkeys(fetches))
        name = next((infos[alias].name for alias in feeds), "")
        if len(feeds) == 1 and name in self.row_by_row and _is_list_of_few(tensor):
            joined = self._joined.get((name, wanted)) or self._join(name, wanted)
            outputs = joined.run(tensor.string_val, timeout_ms)
        else:
            if not self._places.acquire(timeout=timeout_ms / 1000 if timeout_ms else None):
                raise deadline_exceeded()
            try:
                outputs = self._compute(feeds, infos, wanted, timeout_ms)
            finally:
                self._places.release()
        return outputs if len(wanted) == len(fetches) else [outputs[wanted.index(name)] for name in fetches]

    def learn_rows(self, signature: SignatureDef, texts: Sequence[bytes]) -> None:
        """Finds out whether a signature of one list of texts gives each the outputs that it has alone.

        If so, `run` joins calls of a few that wait for a core.

        Raises:
          ServingError: the model failed.
        """
        if len(signature.inputs) != 1 or len(texts) < _FEWEST_TO_LEARN_FROM:
            return
        ((alias, info),) = signature.inputs.items()
        fetches = [output.name for output in signature.outputs.values()]

        def compute(texts: Sequence[bytes]) -> list[np.ndarray]:
            return self._compute({alias: string_tensor(texts)}, signature.inputs, fetches)

        alone = [compute([text]) for text in texts]
        if all(_is_made_of(output, rows) for output, *rows in zip(compute(texts), *alone, strict=True)):
            self.row_by_row.add(info.name)

    def close(self) -> None:
        """Frees the model; nothing may run it any more.

        What stays is one model's size from the first swap on, when two are loaded at once: oneDNN's pool keeps the
        variables' buffers for the next version. TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1 turns the pool off, which makes large
        batches slower.
        """
        self._session.close()
        trim_memory()

    def _compute(
        self,
        feeds: Mapping[str, TensorProto],
        infos: Mapping[str, TensorInfo],
        fetches: Sequence[str],
        timeout_ms: int = 0,
    ) -> list[np.ndarray]:
        with read_tensors(feeds) as tensors:
            for index, alias in enumerate(sorted(feeds, key=lambda alias: infos[alias].name)):
                _check_dtype(index, infos[alias].dtype, feeds[alias].dtype)
            named = {infos[alias].name: tensor for alias, tensor in tensors.items()}
            return self._session.run(named, fetches, min(timeout_ms, _MAX_TIMEOUT_MS))

    def _join(self, name: str, fetches: tuple[str, ...]) -> JoinedCalls:
        def compute(texts: Sequence[bytes], timeout_ms: int) -> list[np.ndarray]:
            with read_tensors({name: string_tensor(texts)}) as tensors:
                return self._session.run(tensors, fetches, min(timeout_ms, _MAX_TIMEOUT_MS))

        return self._joined.setdefault((name, fetches), JoinedCalls(compute, self._at_once))


def _is_list_of_few(tensor: TensorProto) -> bool:
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    whole = tensor.dtype == STRING and not tensor.tensor_content and not tensor.tensor_shape.unknown_rank
    return whole and sizes == [len(tensor.string_val)] and 0 < sizes[0] <= MAX_ROWS_OF_CALL


def _is_made_of(output: np.ndarray, rows: Sequence[np.ndarray]) -> bool:
    if any(row.ndim == 0 for row in rows):
        return False
    whole = np.concatenate(rows)
    if whole.shape != output.shape or len(whole) != len(rows):
        return False
    if output.dtype.hasobject:
        return bool((whole == output).all())
    return bool(np.allclose(whole, output, rtol=0, atol=_SAME_WITHIN, equal_nan=True))


def trim_memory() -> None:
    """Makes the C library return the memory that is free, which it keeps after large messages."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; macOS and musl do without
    if trim is not None:
        trim(0)


def _check_dtype(index: int, expected: int, received: int) -> None:
    """Checks an input's type with the message of TF Serving; that of TensorFlow's C API differs."""
    if received != expected:
        raise invalid_argument(
            f"Expects arg[{index}] to be {dtype_name(expected)} but {dtype_name(received)} is provided"
        )
